//! Everything that has a bound.

use crate::run::{EVERY_WAY, ONE_WRITE, Table};

pub const TABLES: &[Table] = &[
    Table {
        name: "payload",
        config: "max_payload: 16\n",
        deliveries: EVERY_WAY,
        cases: &[
            ("info", &["A+"]),
            ("at_limit", &["v: SUB foo 1", "v: PUB foo 16", "v: 0123456789abcdef"]),
            ("over_limit", &["v: SUB foo 1", "v: PUB foo 17", "v: 0123456789abcdefg"]),
            ("over_limit_without_payload", &["v: PUB foo 17"]),
            ("far_over_limit", &["v: PUB foo 100000000"]),
            ("hpub_at_limit", &["h: SUB foo 1", "h: HPUB foo 12 16", "h: NATS/1.0\r\n\r\nabcd"]),
            ("hpub_over_limit", &["h: SUB foo 1", "h: HPUB foo 12 17", "h: NATS/1.0\r\n\r\nabcde"]),
        ],
    },
    Table {
        name: "control_line",
        config: "max_control_line: 32\n",
        deliveries: EVERY_WAY,
        cases: &[
            ("sub_at_limit", &["A: SUB 012345678901234567890123456789 1"]),
            ("sub_one_over", &["A: SUB 0123456789012345678901234567890 1"]),
            ("sub_two_over", &["A: SUB 01234567890123456789012345678901 1"]),
            ("sub_at_limit_lf", &["A= SUB 012345678901234567890123456789 1\n"]),
            ("sub_one_over_lf", &["A= SUB 0123456789012345678901234567890 1\n"]),
            ("pub_at_limit", &["A: PUB 012345678901234567890123456789 1", "A: x"]),
            ("pub_over", &["A: PUB 01234567890123456789012345678901 1", "A: x"]),
            ("connect_over", &[r#"A: CONNECT {"verbose":false,"pedantic":false,"name":"abc"}"#]),
            ("connect_at_limit", &[r#"A: CONNECT {"verbose":false,"lang":"x"}"#]),
            ("unsub_over", &["A: UNSUB 01234567890123456789012345678901234567"]),
            ("ping_over", &["A: PING 01234567890123456789012345678901234567"]),
            ("info_over", &["A: INFO 01234567890123456789012345678901234567"]),
            ("err_over", &["A: -ERR 01234567890123456789012345678901234567"]),
            ("ok_over", &["A: +OK 01234567890123456789012345678901234567"]),
            ("incomplete_over", &["A= SUB 01234567890123456789012345678901234567", "A."]),
            ("spaces_count", &["A: SUB                                 foo 1"]),
        ],
    },
    Table {
        name: "subscriptions",
        config: "max_subscriptions: 2\n",
        deliveries: ONE_WRITE,
        cases: &[
            ("at_limit", &["v: SUB a 1", "v: SUB b 2"]),
            ("over_limit", &["v: SUB a 1", "v: SUB b 2", "v: SUB c 3", "v: PUB c 1", "v: x"]),
            ("duplicate_at_limit", &["v: SUB a 1", "v: SUB b 2", "v: SUB b 2"]),
            (
                "room_after_unsub",
                &["v: SUB a 1", "v: SUB b 2", "v: UNSUB 1", "v: SUB c 3", "v: PUB c 1", "v: x"],
            ),
            ("invalid_subject_at_limit", &["v: SUB a 1", "v: SUB b 2", "v: SUB c..d 3"]),
            ("queue_counts", &["v: SUB a q 1", "v: SUB b q 2", "v: SUB c q 3"]),
            ("per_connection", &["v: SUB a 1", "v: SUB b 2", "w: SUB a 1", "w: SUB b 2"]),
        ],
    },
    Table {
        name: "sub_tokens",
        config: "max_sub_tokens: 3\n",
        deliveries: ONE_WRITE,
        cases: &[
            ("at_limit", &["v: SUB a.b.c 1"]),
            ("over_limit", &["v: SUB a.b.c.d 1"]),
            ("over_limit_queue", &["v: SUB a.b.c.d q 1"]),
            ("wildcards", &["v: SUB a.*.> 1", "v: SUB a.*.*.> 2"]),
            ("publish_is_free", &["v: SUB > 1", "v: PUB a.b.c.d.e 1", "v: x"]),
        ],
    },
    Table {
        name: "connections",
        config: "max_connections: 2\n",
        deliveries: ONE_WRITE,
        cases: &[("third", &["a: PING", "b: PING", "C+", "C.", "a: PING", "b: PING"])],
    },
    Table {
        name: "connections_zero",
        config: "max_connections: 0\n",
        deliveries: ONE_WRITE,
        cases: &[("first", &["A+", "A."])],
    },
];
