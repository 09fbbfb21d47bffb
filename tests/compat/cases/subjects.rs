//! What may be subscribed to and published to, and who hears it.

use crate::run::{EVERY_WAY, ONE_WRITE, Table};

pub const TABLES: &[Table] = &[
    Table { name: "subscribe", config: "", deliveries: EVERY_WAY, cases: SUBSCRIBE },
    Table { name: "publish", config: "", deliveries: EVERY_WAY, cases: PUBLISH },
    Table { name: "match", config: "", deliveries: ONE_WRITE, cases: MATCH },
    Table { name: "reserved", config: "", deliveries: EVERY_WAY, cases: RESERVED },
    Table { name: "queue", config: "", deliveries: ONE_WRITE, cases: QUEUE },
    Table { name: "mappings", config: MAPPED, deliveries: ONE_WRITE, cases: MAPPINGS },
    Table { name: "imports", config: IMPORTED, deliveries: ONE_WRITE, cases: IMPORTS },
];

type Cases = &'static [(&'static str, &'static [&'static str])];

const SUBSCRIBE: Cases = &[
    ("empty_token", &["v: SUB a..b 1"]),
    ("leading_dot", &["v: SUB .a 1"]),
    ("trailing_dot", &["v: SUB a. 1"]),
    ("dot", &["v: SUB . 1"]),
    ("two_dots", &["v: SUB .. 1"]),
    ("full_wildcard_not_last", &["v: SUB a.>.b 1"]),
    ("full_wildcard_first", &["v: SUB >.a 1"]),
    ("full_wildcard_dot", &["v: SUB >. 1"]),
    ("star_dot", &["v: SUB *. 1"]),
    ("two_full_wildcards", &["v: SUB >.> 1"]),
    ("star", &["v: SUB * 1"]),
    ("full_wildcard", &["v: SUB > 1"]),
    ("star_in_token", &["v: SUB a*.b 1", "v: PUB a*.b 1", "v: x", "v: PUB ab.b 1", "v: y"]),
    ("full_wildcard_in_token", &["v: SUB a.b> 1", "v: PUB a.b> 1", "v: x"]),
    ("double_star", &["v: SUB a.** 1", "v: PUB a.** 1", "v: x", "v: PUB a.b 1", "v: y"]),
    ("stays_open", &["v: SUB a..b 1", "v: SUB good 2", "v: PUB good 1", "v: x"]),
    ("invalid_then_same_sid", &["v: SUB a..b 1", "v: SUB good 1", "v: PUB good 1", "v: x"]),
    ("quiet_and_not_pedantic", &["a: SUB a..b 1"]),
    (
        "pedantic",
        &[r#"A: CONNECT {"pedantic":true}"#, "A: SUB foo. 1", "A: SUB *. 2", "A: SUB >. 3"],
    ),
    ("queue_invalid_subject", &["v: SUB a..b q 1"]),
    ("queue_with_dots", &["v: SUB a q.r.s 1", "v: PUB a 1", "v: x"]),
    ("queue_odd_name", &["v: SUB a q..s 1"]),
    ("queue_wildcard_name", &["v: SUB a > 1"]),
    ("high_bytes", &["v: SUB a.ü.b 1", "v: PUB a.ü.b 1", "v: x"]),
    ("control_bytes", &["v: SUB a.\x01.b 1", "v: PUB a.\x01.b 1", "v: x"]),
    ("form_feed", &["v: SUB a.\x0c.b 1", "v: PUB a.\x0c.b 1", "v: x"]),
    ("nul", &["v: SUB a.\0 1", "v: PUB a.\0 1", "v: x"]),
    ("quote", &["v: SUB a\"b 1", "v: PUB a\"b 1", "v: x"]),
    ("dollar", &["v: SUB $x.y 1", "v: PUB $x.y 1", "v: x"]),
    (
        "forty_tokens",
        &[
            "v: SUB a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.0.1.2.3.4.5.6.7.8.9.a.b.c.d 1",
            "v: PUB a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.0.1.2.3.4.5.6.7.8.9.a.b.c.d 1",
            "v: x",
        ],
    ),
];

const PUBLISH: Cases = &[
    ("star", &["a: SUB w.* 1", "a: PUB w.* 1", "a: x"]),
    ("full_wildcard", &["a: SUB w.> 1", "a: PUB w.> 1", "a: x"]),
    ("empty_token", &["a: SUB w.> 1", "a: PUB w..x 1", "a: x"]),
    ("trailing_dot", &["a: SUB w.> 1", "a: PUB w. 1", "a: x"]),
    ("leading_dot", &["a: SUB > 1", "a: PUB .w 1", "a: x"]),
    ("dot", &["a: SUB > 1", "a: PUB . 1", "a: x"]),
    ("pedantic_star", &[r#"A: CONNECT {"verbose":false}"#, "A: SUB w.* 1", "A: PUB w.* 1", "A: x"]),
    ("pedantic_full_wildcard", &["v: SUB w.> 1", "v: PUB w.> 1", "v: x"]),
    ("pedantic_empty_token", &["v: SUB w.> 1", "v: PUB w..x 1", "v: x"]),
    ("pedantic_trailing_dot", &["v: PUB w. 1", "v: x"]),
    ("pedantic_leading_dot", &["v: PUB .w 1", "v: x"]),
    ("pedantic_star_in_token", &["v: SUB w.a* 1", "v: PUB w.a* 1", "v: x"]),
    ("pedantic_reply_invalid", &["v: SUB w 1", "v: PUB w a..b 1", "v: x"]),
    ("pedantic_reply_wildcard", &["v: SUB w 1", "v: PUB w a.* 1", "v: x"]),
    (
        "pedantic_hpub",
        &[
            r#"A: CONNECT {"headers":true}"#,
            "A: SUB w.* 1",
            "A: HPUB w.* 12 12",
            "A: NATS/1.0\r\n\r\n",
        ],
    ),
    ("nobody", &["v: PUB nobody.{n} 1", "v: x"]),
    ("reply_equals_subject", &["a: SUB w 1", "a: PUB w w 1", "a: x"]),
];

const MATCH: Cases = &[
    (
        "star_is_one_token",
        &[
            "a: SUB m.*.c 1",
            "a: PUB m.b.c 1",
            "a: 1",
            "a: PUB m.b.b.c 1",
            "a: 2",
            "a: PUB m.c 1",
            "a: 3",
        ],
    ),
    (
        "full_wildcard_needs_one",
        &["a: SUB m.> 1", "a: PUB m 1", "a: 1", "a: PUB m.a 1", "a: 2", "a: PUB m.a.b.c 1", "a: 3"],
    ),
    (
        "star_and_full_wildcard",
        &["a: SUB m.*.> 1", "a: PUB m.a 1", "a: 1", "a: PUB m.a.b 1", "a: 2"],
    ),
    ("all", &["a: SUB > 1", "a: PUB anything.{n} 1", "a: 1"]),
    ("stars", &["a: SUB *.{n}.* 1", "a: PUB x.{n}.y 1", "a: 1", "a: PUB x.{n} 1", "a: 2"]),
    ("case_matters", &["a: SUB m.A 1", "a: PUB m.a 1", "a: 1", "a: PUB m.A 1", "a: 2"]),
    ("prefix_is_no_match", &["a: SUB m.abc 1", "a: PUB m.ab 1", "a: 1", "a: PUB m.abcd 1", "a: 2"]),
    (
        "overlapping_subs_count",
        &[
            "a: SUB m.{n} 1",
            "a: SUB m.* 2",
            "a: SUB m.> 3",
            "a: SUB *.{n} 4",
            "a: PUB m.{n} 1",
            "a: x",
            "a#",
        ],
    ),
    (
        "literal_next_to_wildcards",
        &["a: SUB m.{n}.* 1", "a: PUB m.{n}.* 1", "a: x", "a: PUB m.{n}.> 1", "a: y"],
    ),
    (
        "order_is_kept",
        &[
            "a: SUB m.{n} 1",
            "b: PUB m.{n} 1",
            "b: 1",
            "b: PUB m.{n} 1",
            "b: 2",
            "b: PUB m.{n} 1",
            "b: 3",
        ],
    ),
    (
        "cached_match_sees_new_sub",
        &[
            "a: PUB m.{n} 1",
            "a: 1",
            "a: SUB m.{n} 1",
            "a: PUB m.{n} 1",
            "a: 2",
            "a: SUB m.* 2",
            "a: UNSUB 1",
            "a: PUB m.{n} 1",
            "a: 3",
            "a: UNSUB 2",
            "a: PUB m.{n} 1",
            "a: 4",
        ],
    ),
    ("subs_go_with_the_connection", &["a: SUB m.{n} 1", "a!", "b: PUB m.{n} 1", "b: x"]),
];

const RESERVED: Cases = &[
    ("publish_gr", &["v: PUB _GR_.a 1", "v: x"]),
    ("publish_gr_dollar", &["v: PUB $GR.a 1", "v: x"]),
    ("publish_nrg", &["v: PUB $NRG.a 1", "v: x"]),
    ("publish_gnr", &["v: SUB $GNR.a 1", "v: PUB $GNR.a 1", "v: x"]),
    ("publish_gr_alone", &["v: PUB _GR_ 1", "v: x"]),
    ("publish_r", &["v: SUB _R_.a 1", "v: PUB _R_.a 1", "v: x"]),
    ("reply_r", &["v: SUB foo 1", "v: PUB foo _R_.a 1", "v: x"]),
    ("reply_gr", &["v: SUB foo 1", "v: PUB foo _GR_.a 1", "v: x"]),
    ("reply_js_ack", &["v: SUB foo 1", "v: PUB foo $JS.ACK.a 1", "v: x"]),
    ("reply_js_other", &["v: SUB foo 1", "v: PUB foo $JS.API.a 1", "v: x"]),
    ("reply_r_no_dot", &["v: SUB foo 1", "v: PUB foo _R_ 1", "v: x"]),
    ("queue_sys", &["v: SUB foo _sys_ 1"]),
    ("sub_sys", &["v: SUB $SYS.> 1"]),
    ("publish_sys", &["v: SUB $SYS.x 1", "v: PUB $SYS.x 1", "v: x"]),
    ("sub_gr", &["v: SUB _GR_.> 1"]),
    ("sub_r", &["v: SUB _R_.> 1"]),
    (
        "hpub_reply_gr",
        &[r#"A: CONNECT {"headers":true}"#, "A: HPUB foo _GR_.a 12 12", "A: NATS/1.0\r\n\r\n"],
    ),
    (
        "sys_user_info_without_auth",
        &["h: SUB in.{n} 1", "h: PUB $SYS.REQ.USER.INFO in.{n} 0", "h: ", "h#"],
    ),
];

const QUEUE: Cases = &[
    (
        "one_of_two",
        &[
            "a: SUB q.{n} g 1",
            "a: SUB q.{n} g 2",
            "b: PUB q.{n} 1",
            "b: x",
            "b: PUB q.{n} 1",
            "b: y",
            "a#",
        ],
    ),
    ("two_groups", &["a: SUB q.{n} g 1", "a: SUB q.{n} h 2", "b: PUB q.{n} 1", "b: x", "a#"]),
    ("group_and_plain", &["a: SUB q.{n} g 1", "a: SUB q.{n} 2", "b: PUB q.{n} 1", "b: x", "a#"]),
    (
        "name_across_patterns",
        &["a: SUB q.* g 1", "a: SUB q.{n} g 2", "b: PUB q.{n} 1", "b: x", "a#"],
    ),
    (
        "member_that_is_done_is_skipped",
        &[
            "a: SUB q.{n} g 1",
            "a: UNSUB 1 1",
            "a: SUB q.{n} g 2",
            "a: UNSUB 2 3",
            "b: PUB q.{n} 1",
            "b: 1",
            "b: PUB q.{n} 1",
            "b: 2",
            "b: PUB q.{n} 1",
            "b: 3",
            "b: PUB q.{n} 1",
            "b: 4",
            "b: PUB q.{n} 1",
            "b: 5",
            "a#",
        ],
    ),
    (
        "member_that_left_is_skipped",
        &["a: SUB q.{n} g 1", "c: SUB q.{n} g 1", "c: UNSUB 1", "b: PUB q.{n} 1", "b: x"],
    ),
    ("reply_is_passed", &["a: SUB q.{n} g 1", "b: PUB q.{n} r 1", "b: x"]),
    (
        "same_sid_in_two_connections",
        &["a: SUB q.{n} g 1", "b: SUB q.{n} h 1", "c: PUB q.{n} 1", "c: x"],
    ),
];

const MAPPED: &str = r#"
mappings {
  "m.a": "m.b"
  "m.two.*.*": "m.swapped.$2.$1"
  "m.part.*": "m.part.{{partition(4,1)}}.{{wildcard(1)}}"
  "m.split.*": "m.split.{{split(1,-)}}"
  "m.left.*": "m.left.{{splitFromLeft(1,2)}}"
  "m.right.*": "m.right.{{splitFromRight(1,2)}}"
  "m.slice.*": "m.slice.{{sliceFromLeft(1,2)}}"
  "m.slicer.*": "m.slicer.{{sliceFromRight(1,2)}}"
  "m.cutl.*": "m.cutl.{{left(1,3)}}"
  "m.cutr.*": "m.cutr.{{right(1,3)}}"
  "m.rest.>": "m.moved.>"
  "m.lost": [ { destination: "m.nowhere", weight: 100 } ]
  "m.chain1": "m.chain2"
  "m.chain2": "m.chain3"
}
"#;

const MAPPINGS: Cases = &[
    ("literal", &["a: SUB m.> 1", "a: PUB m.a 1", "a: x"]),
    ("literal_with_reply", &["a: SUB m.> 1", "a: PUB m.a r 1", "a: x"]),
    ("literal_hpub", &["h: SUB m.> 1", "h: HPUB m.a 12 12", "h: NATS/1.0\r\n\r\n"]),
    ("swapped", &["a: SUB m.> 1", "a: PUB m.two.x.y 1", "a: x"]),
    (
        "partition",
        &[
            "a: SUB m.> 1",
            "a: PUB m.part.foo 1",
            "a: x",
            "a: PUB m.part.bar 1",
            "a: x",
            "a: PUB m.part.baz 1",
            "a: x",
        ],
    ),
    (
        "split",
        &["a: SUB m.> 1", "a: PUB m.split.a-b-c 1", "a: x", "a: PUB m.split.-a--b- 1", "a: x"],
    ),
    (
        "split_from_left",
        &["a: SUB m.> 1", "a: PUB m.left.12345 1", "a: x", "a: PUB m.left.12 1", "a: x"],
    ),
    (
        "split_from_right",
        &["a: SUB m.> 1", "a: PUB m.right.12345 1", "a: x", "a: PUB m.right.1 1", "a: x"],
    ),
    ("slice_from_left", &["a: SUB m.> 1", "a: PUB m.slice.1234567 1", "a: x"]),
    ("slice_from_right", &["a: SUB m.> 1", "a: PUB m.slicer.1234567 1", "a: x"]),
    ("left", &["a: SUB m.> 1", "a: PUB m.cutl.123456 1", "a: x", "a: PUB m.cutl.1 1", "a: x"]),
    ("right", &["a: SUB m.> 1", "a: PUB m.cutr.123456 1", "a: x", "a: PUB m.cutr.1 1", "a: x"]),
    ("rest", &["a: SUB m.> 1", "a: PUB m.rest.x.y.z 1", "a: x"]),
    ("all_weight", &["a: SUB m.> 1", "a: PUB m.lost 1", "a: x"]),
    ("no_chains", &["a: SUB m.> 1", "a: PUB m.chain1 1", "a: x"]),
    ("subscriber_is_not_mapped", &["a: SUB m.a 1", "a: PUB m.a 1", "a: x"]),
    ("other_subjects_pass", &["a: SUB other 1", "a: PUB other 1", "a: x"]),
    ("no_responders", &["h: SUB in.{n} 1", "h: PUB m.a in.{n} 1", "h: x"]),
];

const IMPORTED: &str = r#"
accounts {
  A {
    users: [ { user: a, password: p } ]
    exports: [ { stream: "s.>" }, { service: "svc.*" }, { service: "many", response_type: stream }
               { stream: "private", accounts: [C] } ]
    mappings { "ma": "mb" }
  }
  B {
    users: [ { user: b, password: p } ]
    imports: [ { stream: { account: A, subject: "s.>" }, prefix: "from.a" }
               { service: { account: A, subject: "svc.one" }, to: "one" }
               { service: { account: A, subject: "many" } } ]
  }
  C {
    users: [ { user: c, password: p } ]
    imports: [ { stream: { account: A, subject: "s.*.x" }, to: "renamed.$1" }
               { stream: { account: A, subject: "private" } }
               { service: { account: A, subject: "svc.*" }, to: "any.*" } ]
  }
}
"#;

const A: &str =
    r#"A: CONNECT {"user":"a","pass":"p","verbose":false,"headers":true,"no_responders":true}"#;
const B: &str =
    r#"B: CONNECT {"user":"b","pass":"p","verbose":false,"headers":true,"no_responders":true}"#;
const C: &str =
    r#"C: CONNECT {"user":"c","pass":"p","verbose":false,"headers":true,"no_responders":true}"#;

const IMPORTS: Cases = &[
    (
        "accounts_are_apart",
        &[A, "A: SUB x 1", B, "B: SUB x 1", "B: PUB x 1", "B: b", "A?", "A: PUB x 1", "A: a"],
    ),
    ("stream_with_prefix", &[B, "B: SUB from.a.s.> 1", A, "A: PUB s.1 1", "A: x"]),
    (
        "stream_renamed",
        &[C, "C: SUB renamed.* 1", A, "A: PUB s.1.x 1", "A: x", "A: PUB s.1.y 1", "A: y"],
    ),
    ("stream_wide_subscription", &[B, "B: SUB > 1", A, "A: PUB s.1 r 1", "A: x"]),
    ("stream_not_exported", &[B, "B: SUB from.> 1", A, "A: PUB t.1 1", "A: x"]),
    ("private_stream", &[C, "C: SUB private 1", A, "A: PUB private 1", "A: x"]),
    ("service", &[A, "A: SUB svc.one 1", B, "B: SUB in.{n} 1", "B: PUB one in.{n} 1", "B: x"]),
    (
        "service_wildcard",
        &[A, "A: SUB svc.* 1", C, "C: SUB in.{n} 1", "C: PUB any.two in.{n} 1", "C: x"],
    ),
    ("service_without_reply", &[A, "A: SUB svc.one 1", B, "B: PUB one 1", "B: x"]),
    ("service_nobody", &[B, "B: SUB in.{n} 1", "B: PUB one in.{n} 1", "B: x"]),
    ("mapping_in_account", &[A, "A: SUB mb 1", "A: PUB ma 1", "A: x"]),
    (
        "second_connect_moves",
        &[
            A,
            "A: SUB x.{n} 1",
            r#"A: CONNECT {"user":"b","pass":"p"}"#,
            "A: SUB x.{n} 2",
            "A?",
            B,
            "B: PUB x.{n} 1",
            "B: x",
        ],
    ),
];
