//! Who may connect, and what they may do.

use crate::run::{EVERY_WAY, ONE_WRITE, Table};

pub const TABLES: &[Table] = &[
    Table {
        name: "single_user",
        config: "authorization { user: derek, password: foobar }\n",
        deliveries: EVERY_WAY,
        cases: SINGLE,
    },
    Table {
        name: "token",
        config: "authorization { token: s3cr3t }\n",
        deliveries: ONE_WRITE,
        cases: TOKEN,
    },
    Table { name: "users", config: USERS_CONFIG, deliveries: ONE_WRITE, cases: USERS },
    Table { name: "bcrypt", config: BCRYPT_CONFIG, deliveries: ONE_WRITE, cases: BCRYPT },
    Table {
        name: "bcrypt_token",
        config: "authorization { token: \"$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\" }\n",
        deliveries: ONE_WRITE,
        cases: &[
            ("good", &[r#"A: CONNECT {"auth_token":"secret"}"#]),
            ("bad", &[r#"A: CONNECT {"auth_token":"wrong"}"#]),
            (
                "the_hash_itself",
                &[
                    r#"A: CONNECT {"auth_token":"$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"}"#,
                ],
            ),
        ],
    },
    Table {
        name: "permissions",
        config: PERMISSIONS_CONFIG,
        deliveries: ONE_WRITE,
        cases: PERMISSIONS,
    },
    Table { name: "queues", config: QUEUES_CONFIG, deliveries: ONE_WRITE, cases: QUEUES },
    Table { name: "responses", config: RESPONSES_CONFIG, deliveries: ONE_WRITE, cases: RESPONSES },
    Table { name: "no_auth_user", config: NO_AUTH_CONFIG, deliveries: EVERY_WAY, cases: NO_AUTH },
    Table { name: "types", config: TYPES_CONFIG, deliveries: ONE_WRITE, cases: TYPES },
];

type Cases = &'static [(&'static str, &'static [&'static str])];

const SINGLE: Cases = &[
    ("info", &["A+", r#"A: CONNECT {"user":"derek","pass":"foobar"}"#]),
    (
        "good",
        &[r#"A: CONNECT {"user":"derek","pass":"foobar"}"#, "A: SUB foo 1", "A: PUB foo 1", "A: x"],
    ),
    ("good_protocol_1", &[r#"A: CONNECT {"user":"derek","pass":"foobar","protocol":1}"#]),
    ("wrong_password", &[r#"A: CONNECT {"user":"derek","pass":"foobaz"}"#]),
    ("wrong_user", &[r#"A: CONNECT {"user":"dave","pass":"foobar"}"#]),
    ("no_password", &[r#"A: CONNECT {"user":"derek"}"#]),
    ("no_user", &[r#"A: CONNECT {"pass":"foobar"}"#]),
    ("empty_connect", &["A: CONNECT {}"]),
    ("prefix_of_password", &[r#"A: CONNECT {"user":"derek","pass":"foob"}"#]),
    ("longer_password", &[r#"A: CONNECT {"user":"derek","pass":"foobarr"}"#]),
    ("password_case", &[r#"A: CONNECT {"user":"derek","pass":"FOOBAR"}"#]),
    ("token_instead", &[r#"A: CONNECT {"auth_token":"foobar"}"#]),
    ("null_user", &[r#"A: CONNECT {"user":null,"pass":"foobar"}"#]),
    ("sub_first", &["A: SUB foo 1"]),
    ("pub_first", &["A: PUB foo 1", "A: x"]),
    ("ping_first", &["A: PING"]),
    ("pong_first", &["A: PONG"]),
    ("unsub_first", &["A: UNSUB 1"]),
    ("info_first", &["A: INFO {}"]),
    ("ok_first", &["A: +OK"]),
    ("err_first", &["A: -ERR 'x'"]),
    ("garbage_first", &["A: ZZZ"]),
    ("bad_json", &["A: CONNECT {x}"]),
    (
        "wrong_then_good_in_one_write",
        &[
            r#"A: CONNECT {"user":"derek","pass":"no"}"#,
            r#"A: CONNECT {"user":"derek","pass":"foobar"}"#,
        ],
    ),
    (
        "good_then_wrong",
        &[
            r#"A: CONNECT {"user":"derek","pass":"foobar"}"#,
            r#"A: CONNECT {"user":"derek","pass":"no"}"#,
        ],
    ),
    (
        "good_then_empty_keeps_credentials",
        &[r#"A: CONNECT {"user":"derek","pass":"foobar"}"#, "A: CONNECT {}"],
    ),
    ("invalid_protocol_before_auth", &[r#"A: CONNECT {"protocol":7}"#]),
    (
        "invalid_protocol_with_credentials",
        &[r#"A: CONNECT {"user":"derek","pass":"foobar","protocol":7}"#],
    ),
    (
        "no_responders_without_headers",
        &[r#"A: CONNECT {"user":"derek","pass":"foobar","no_responders":true}"#],
    ),
    ("account_asked", &[r#"A: CONNECT {"user":"derek","pass":"foobar","account":"X"}"#]),
    ("control_line_before_auth", &["A: ping"]),
];

const TOKEN: Cases = &[
    ("info", &["A+"]),
    ("good", &[r#"A: CONNECT {"auth_token":"s3cr3t"}"#]),
    ("bad", &[r#"A: CONNECT {"auth_token":"nope"}"#]),
    ("empty", &[r#"A: CONNECT {"auth_token":""}"#]),
    ("none", &["A: CONNECT {}"]),
    ("as_password", &[r#"A: CONNECT {"user":"x","pass":"s3cr3t"}"#]),
    ("as_user", &[r#"A: CONNECT {"user":"s3cr3t"}"#]),
    ("with_user_too", &[r#"A: CONNECT {"auth_token":"s3cr3t","user":"x"}"#]),
];

const USERS_CONFIG: &str = r#"
authorization {
  default_permissions { publish: "d.>", subscribe: "d.>" }
  users [
    { user: alice, password: a, permissions { publish: ">", subscribe: ">" } }
    { user: bob, password: b }
    { user: nopass }
  ]
}
"#;

const USERS: Cases = &[
    ("info", &["A+"]),
    ("alice", &[r#"A: CONNECT {"user":"alice","pass":"a"}"#, "A: SUB x 1", "A: PUB x 1", "A: x"]),
    (
        "bob_default_permissions",
        &[
            r#"A: CONNECT {"user":"bob","pass":"b"}"#,
            "A: SUB x 1",
            "A: SUB d.x 2",
            "A: PUB x 1",
            "A: x",
            "A: PUB d.x 1",
            "A: x",
        ],
    ),
    ("bob_wrong", &[r#"A: CONNECT {"user":"bob","pass":"a"}"#]),
    ("unknown", &[r#"A: CONNECT {"user":"eve","pass":"a"}"#]),
    ("without_password", &[r#"A: CONNECT {"user":"nopass"}"#]),
    ("without_password_but_one_sent", &[r#"A: CONNECT {"user":"nopass","pass":"x"}"#]),
    ("nobody", &["A: CONNECT {}"]),
    (
        "user_info",
        &[
            r#"A: CONNECT {"user":"alice","pass":"a","verbose":false}"#,
            "A: SUB in 1",
            "A: PUB $SYS.REQ.USER.INFO in 0",
            "A: ",
            "A~",
        ],
    ),
    (
        "changes_user",
        &[
            r#"A: CONNECT {"user":"alice","pass":"a"}"#,
            "A: SUB x 1",
            r#"A: CONNECT {"user":"bob","pass":"b"}"#,
            "A: SUB x 1",
        ],
    ),
];

const BCRYPT_CONFIG: &str = r#"
authorization {
  users [
    { user: good, password: "$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" }
    { user: bare, password: $2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW }
    { user: yy, password: "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" }
    { user: bb, password: "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" }
    { user: broken, password: "$2a$04$short" }
    { user: cost, password: "$2a$99$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" }
  ]
}
"#;

const BCRYPT: Cases = &[
    ("good", &[r#"A: CONNECT {"user":"good","pass":"secret"}"#]),
    ("bad", &[r#"A: CONNECT {"user":"good","pass":"Secret"}"#]),
    ("empty", &[r#"A: CONNECT {"user":"good"}"#]),
    (
        "the_hash_itself",
        &[
            r#"A: CONNECT {"user":"good","pass":"$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"}"#,
        ],
    ),
    ("bare_word_in_config", &[r#"A: CONNECT {"user":"bare","pass":"secret"}"#]),
    ("prefix_2y", &[r#"A: CONNECT {"user":"yy","pass":"secret"}"#]),
    ("prefix_2b", &[r#"A: CONNECT {"user":"bb","pass":"secret"}"#]),
    ("broken_hash", &[r#"A: CONNECT {"user":"broken","pass":"secret"}"#]),
    ("broken_hash_itself", &[r#"A: CONNECT {"user":"broken","pass":"$2a$04$short"}"#]),
    ("impossible_cost", &[r#"A: CONNECT {"user":"cost","pass":"secret"}"#]),
    (
        "longer_than_bcrypt_reads",
        &[
            r#"A: CONNECT {"user":"good","pass":"secretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecret"}"#,
        ],
    ),
];

const PERMISSIONS_CONFIG: &str = r#"
authorization {
  users [
    { user: any, password: p }
    { user: pub, password: p, permissions { publish: "only.>" } }
    { user: pubs, password: p, permissions { publish: ["a.*", "b.>", "c"] } }
    { user: sub, password: p, permissions { subscribe: ["s.*", "_INBOX.>"] } }
    { user: deny, password: p, permissions { publish: { deny: ["x.>"] }, subscribe: { deny: ["x.*", "y"] } } }
    { user: both, password: p, permissions { publish: { allow: ["z.>"], deny: ["z.no"] }, subscribe: { allow: ["z.>"], deny: ["z.no.>"] } } }
    { user: none, password: p, permissions { publish: { allow: [] }, subscribe: { allow: [] } } }
    { user: denyall, password: p, permissions { publish: { deny: ">" }, subscribe: { deny: ">" } } }
  ]
}
"#;

const PERMISSIONS: Cases = &[
    (
        "publish_allowed",
        &[r#"A: CONNECT {"user":"pub","pass":"p"}"#, "A: SUB > 1", "A: PUB only.a 1", "A: x"],
    ),
    (
        "publish_refused",
        &[r#"A: CONNECT {"user":"pub","pass":"p"}"#, "A: SUB > 1", "A: PUB other 1", "A: x"],
    ),
    (
        "publish_refused_quiet",
        &[r#"A: CONNECT {"user":"pub","pass":"p","verbose":false}"#, "A: PUB other 1", "A: x"],
    ),
    (
        "publish_parent_refused",
        &[r#"A: CONNECT {"user":"pub","pass":"p"}"#, "A: PUB only 1", "A: x"],
    ),
    (
        "publish_wildcard_covered",
        &[r#"A: CONNECT {"user":"pub","pass":"p","pedantic":false}"#, "A: PUB only.* 1", "A: x"],
    ),
    (
        "publish_wildcard_not_covered",
        &[
            r#"A: CONNECT {"user":"pubs","pass":"p","pedantic":false}"#,
            "A: PUB a.> 1",
            "A: x",
            "A: PUB * 1",
            "A: x",
        ],
    ),
    (
        "publish_list",
        &[
            r#"A: CONNECT {"user":"pubs","pass":"p"}"#,
            "A: PUB a.1 1",
            "A: x",
            "A: PUB a.1.2 1",
            "A: x",
            "A: PUB b.1.2 1",
            "A: x",
            "A: PUB c 1",
            "A: x",
            "A: PUB c.d 1",
            "A: x",
        ],
    ),
    (
        "publish_hpub_refused",
        &[
            r#"A: CONNECT {"user":"pub","pass":"p","headers":true}"#,
            "A: HPUB other 12 12",
            "A: NATS/1.0\r\n\r\n",
        ],
    ),
    (
        "publish_refused_no_503",
        &[
            r#"A: CONNECT {"user":"pub","pass":"p","headers":true,"no_responders":true,"verbose":false}"#,
            "A: SUB in 1",
            "A: PUB other in 1",
            "A: x",
        ],
    ),
    (
        "publish_invalid_and_refused",
        &[r#"A: CONNECT {"user":"pub","pass":"p"}"#, "A: PUB other..x 1", "A: x"],
    ),
    (
        "publish_many_cached",
        &[
            r#"A: CONNECT {"user":"pub","pass":"p","verbose":false}"#,
            "A: PUB other 1",
            "A: x",
            "A: PUB other 1",
            "A: x",
            "A: PUB only.a 1",
            "A: x",
            "A: PUB only.a 1",
            "A: x",
        ],
    ),
    (
        "subscribe_allowed",
        &[
            r#"A: CONNECT {"user":"sub","pass":"p"}"#,
            "A: SUB s.a 1",
            "A: SUB s.* 2",
            "A: PUB s.a 1",
            "A: x",
        ],
    ),
    (
        "subscribe_refused",
        &[
            r#"A: CONNECT {"user":"sub","pass":"p"}"#,
            "A: SUB t 1",
            "A: SUB s.> 2",
            "A: SUB > 3",
            "A: SUB s.*.* 4",
        ],
    ),
    ("subscribe_refused_queue", &[r#"A: CONNECT {"user":"sub","pass":"p"}"#, "A: SUB t q 1"]),
    (
        "subscribe_refused_sid_free",
        &[
            r#"A: CONNECT {"user":"sub","pass":"p"}"#,
            "A: SUB t 1",
            "A: UNSUB 1",
            "A: SUB s.a 1",
            "A: PUB s.a 1",
            "A: x",
        ],
    ),
    (
        "subscribe_invalid_and_refused",
        &[r#"A: CONNECT {"user":"sub","pass":"p"}"#, "A: SUB t..x 1"],
    ),
    (
        "deny_publish",
        &[
            r#"A: CONNECT {"user":"deny","pass":"p"}"#,
            "A: PUB x.1 1",
            "A: x",
            "A: PUB x 1",
            "A: x",
            "A: PUB q 1",
            "A: x",
        ],
    ),
    (
        "deny_subscribe",
        &[
            r#"A: CONNECT {"user":"deny","pass":"p"}"#,
            "A: SUB x.1 1",
            "A: SUB x.* 2",
            "A: SUB y 3",
            "A: SUB q 4",
        ],
    ),
    (
        "deny_overlap_filters",
        &[
            r#"A: CONNECT {"user":"deny","pass":"p","verbose":false}"#,
            "A: SUB > 1",
            r#"B: CONNECT {"user":"any","pass":"p","verbose":false}"#,
            "B: PUB x.1 1",
            "B: 1",
            "B: PUB x.1.2 1",
            "B: 2",
            "B: PUB y 1",
            "B: 3",
            "B: PUB q 1",
            "B: 4",
        ],
    ),
    (
        "deny_overlap_filters_queue",
        &[
            r#"A: CONNECT {"user":"deny","pass":"p","verbose":false}"#,
            "A: SUB *.{n} g 1",
            "A: SUB x.> g 2",
            r#"B: CONNECT {"user":"any","pass":"p","verbose":false}"#,
            "B: PUB x.{n} 1",
            "B: 1",
            "B: PUB q.{n} 1",
            "B: 2",
        ],
    ),
    (
        "allow_and_deny",
        &[
            r#"A: CONNECT {"user":"both","pass":"p"}"#,
            "A: SUB z.> 1",
            "A: SUB z.no.> 2",
            "A: SUB z.no 3",
            "A: PUB z.no 1",
            "A: x",
            "A: PUB z.yes 1",
            "A: x",
            "A: PUB z.no.more 1",
            "A: x",
        ],
    ),
    (
        "empty_allow",
        &[r#"A: CONNECT {"user":"none","pass":"p"}"#, "A: SUB a 1", "A: PUB a 1", "A: x"],
    ),
    (
        "deny_all",
        &[r#"A: CONNECT {"user":"denyall","pass":"p"}"#, "A: SUB a 1", "A: PUB a 1", "A: x"],
    ),
    (
        "reply_is_not_checked",
        &[r#"A: CONNECT {"user":"pub","pass":"p"}"#, "A: PUB only.a other 1", "A: x"],
    ),
    (
        "subject_with_quote",
        &[
            r#"A: CONNECT {"user":"pub","pass":"p"}"#,
            "A: PUB o\"ther\\x 1",
            "A: x",
            "A: SUB s\"q 1",
        ],
    ),
    (
        "subject_with_high_bytes",
        &[r#"A: CONNECT {"user":"pub","pass":"p"}"#, "A: PUB ü.\x01 1", "A: x", "A: SUB ü.\x01 1"],
    ),
];

const QUEUES_CONFIG: &str = r#"
authorization {
  users [
    { user: any, password: p }
    { user: allow, password: p, permissions { subscribe: { allow: ["foo q1", "bar", "baz *.dev", "qux g.>"] } } }
    { user: deny, password: p, permissions { subscribe: { deny: ["foo q1", "bar *.prod"] } } }
    { user: both, password: p, permissions { subscribe: { allow: ["foo", "foo q1"], deny: ["foo q2"] } } }
  ]
}
"#;

const QUEUES: Cases = &[
    ("allow_listed", &[r#"A: CONNECT {"user":"allow","pass":"p"}"#, "A: SUB foo q1 1"]),
    ("allow_other_queue", &[r#"A: CONNECT {"user":"allow","pass":"p"}"#, "A: SUB foo q2 1"]),
    ("allow_plain_refused", &[r#"A: CONNECT {"user":"allow","pass":"p"}"#, "A: SUB foo 1"]),
    (
        "allow_plain_entry_any_queue",
        &[r#"A: CONNECT {"user":"allow","pass":"p"}"#, "A: SUB bar 1", "A: SUB bar any 2"],
    ),
    (
        "allow_wildcard_queue",
        &[
            r#"A: CONNECT {"user":"allow","pass":"p"}"#,
            "A: SUB baz a.dev 1",
            "A: SUB baz a.prod 2",
            "A: SUB baz dev 3",
        ],
    ),
    (
        "allow_full_wildcard_queue",
        &[r#"A: CONNECT {"user":"allow","pass":"p"}"#, "A: SUB qux g.a.b 1", "A: SUB qux g 2"],
    ),
    ("deny_listed", &[r#"A: CONNECT {"user":"deny","pass":"p"}"#, "A: SUB foo q1 1"]),
    (
        "deny_other_queue",
        &[r#"A: CONNECT {"user":"deny","pass":"p"}"#, "A: SUB foo q2 1", "A: SUB foo 2"],
    ),
    (
        "deny_wildcard_queue",
        &[r#"A: CONNECT {"user":"deny","pass":"p"}"#, "A: SUB bar a.prod 1", "A: SUB bar a.dev 2"],
    ),
    (
        "allow_and_deny",
        &[
            r#"A: CONNECT {"user":"both","pass":"p"}"#,
            "A: SUB foo q1 1",
            "A: SUB foo q2 2",
            "A: SUB foo q3 3",
            "A: SUB foo 4",
        ],
    ),
];

const RESPONSES_CONFIG: &str = r#"
authorization {
  users [
    { user: any, password: p }
    { user: one, password: p, permissions { subscribe: "svc.>", allow_responses: true } }
    { user: two, password: p, permissions { publish: "own", subscribe: "svc.>", allow_responses: { max: 2, expires: "1m" } } }
    { user: brief, password: p, permissions { subscribe: "svc.>", allow_responses: { max: 5, expires: "1ms" } } }
    { user: more, password: p, permissions { subscribe: "svc.>", allow_responses: { max: -1, expires: "-1s" } } }
  ]
}
"#;

const ANY: &str = r#"B: CONNECT {"user":"any","pass":"p","verbose":false}"#;

const RESPONSES: Cases = &[
    (
        "one",
        &[
            r#"A: CONNECT {"user":"one","pass":"p","verbose":false}"#,
            "A: SUB svc.{n} 1",
            ANY,
            "B: SUB in.> 1",
            "B: PUB svc.{n} in.{n} 1",
            "B: x",
            "A: PUB in.{n} 1",
            "A: 1",
            "A: PUB in.{n} 1",
            "A: 2",
        ],
    ),
    (
        "none_without_request",
        &[r#"A: CONNECT {"user":"one","pass":"p"}"#, "A: PUB in.{n} 1", "A: 1"],
    ),
    (
        "other_subject",
        &[
            r#"A: CONNECT {"user":"one","pass":"p","verbose":false}"#,
            "A: SUB svc.{n} 1",
            ANY,
            "B: SUB in.> 1",
            "B: PUB svc.{n} in.{n} 1",
            "B: x",
            "A: PUB in.other 1",
            "A: 1",
        ],
    ),
    (
        "two",
        &[
            r#"A: CONNECT {"user":"two","pass":"p","verbose":false}"#,
            "A: SUB svc.{n} 1",
            ANY,
            "B: SUB in.> 1",
            "B: PUB svc.{n} in.{n} 1",
            "B: x",
            "A: PUB in.{n} 1",
            "A: 1",
            "A: PUB in.{n} 1",
            "A: 2",
            "A: PUB in.{n} 1",
            "A: 3",
            "A: PUB own 1",
            "A: 4",
        ],
    ),
    (
        "unlimited",
        &[
            r#"A: CONNECT {"user":"more","pass":"p","verbose":false}"#,
            "A: SUB svc.{n} 1",
            ANY,
            "B: SUB in.> 1",
            "B: PUB svc.{n} in.{n} 1",
            "B: x",
            "A: PUB in.{n} 1",
            "A: 1",
            "A: PUB in.{n} 1",
            "A: 2",
            "A: PUB in.{n} 1",
            "A: 3",
        ],
    ),
];

const NO_AUTH_CONFIG: &str = r#"
authorization {
  users [
    { user: guest, password: g, permissions { publish: "g.>", subscribe: "g.>" } }
    { user: alice, password: a }
  ]
}
no_auth_user: guest
"#;

const NO_AUTH: Cases = &[
    ("info", &["A+"]),
    ("no_credentials", &["A: CONNECT {}", "A: SUB g.1 1", "A: SUB x 2"]),
    ("without_connect", &["A: SUB g.1 1", "A: SUB x 2", "A: PUB g.1 1", "A: x"]),
    ("ping_first", &["A: PING"]),
    ("pub_first", &["A: PUB x 1", "A: x"]),
    ("unsub_first", &["A: UNSUB 1"]),
    ("good_credentials", &[r#"A: CONNECT {"user":"alice","pass":"a"}"#, "A: SUB x 2"]),
    ("wrong_credentials", &[r#"A: CONNECT {"user":"alice","pass":"no"}"#]),
    ("wrong_user", &[r#"A: CONNECT {"user":"eve"}"#]),
    ("only_password", &[r#"A: CONNECT {"pass":"a"}"#]),
    ("only_token", &[r#"A: CONNECT {"auth_token":"a"}"#]),
    ("guest_by_name", &[r#"A: CONNECT {"user":"guest","pass":"g"}"#, "A: SUB x 1"]),
    ("connect_after_ping", &["A: PING", r#"A: CONNECT {"user":"alice","pass":"a"}"#, "A: SUB x 1"]),
    ("protocol_1", &[r#"A: CONNECT {"protocol":1}"#]),
];

const TYPES_CONFIG: &str = r#"
authorization {
  users [
    { user: std, password: p, allowed_connection_types: ["standard"] }
    { user: ws, password: p, allowed_connection_types: ["WEBSOCKET", "MQTT"] }
    { user: all, password: p, connection_types: [STANDARD, WEBSOCKET, LEAFNODE, LEAFNODE_WS, MQTT, MQTT_WS, IN_PROCESS] }
  ]
}
"#;

const TYPES: Cases = &[
    ("standard", &[r#"A: CONNECT {"user":"std","pass":"p"}"#]),
    ("websocket_only", &[r#"A: CONNECT {"user":"ws","pass":"p"}"#]),
    ("all", &[r#"A: CONNECT {"user":"all","pass":"p"}"#]),
];
