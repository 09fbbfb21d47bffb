//! What may be subscribed to and published to, and who hears it.

use crate::run::{EVERY_WAY, ONE_WRITE, Table};

pub const TABLES: &[Table] = &[
    Table { name: "subscribe", config: "", deliveries: EVERY_WAY, cases: SUBSCRIBE },
    Table { name: "publish", config: "", deliveries: EVERY_WAY, cases: PUBLISH },
    Table { name: "match", config: "", deliveries: ONE_WRITE, cases: MATCH },
    Table { name: "reserved", config: "", deliveries: EVERY_WAY, cases: RESERVED },
    Table { name: "queue", config: "", deliveries: ONE_WRITE, cases: QUEUE },
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
        &["h: SUB in.{n} 1", "h: PUB $SYS.REQ.USER.INFO in.{n} 0", "h: ", "h~"],
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
