//! What happens with time: PINGs, stale connections, authentication timeouts, lame duck mode.
//! The server's PINGs are read with `<`; a barrier leaves them out.

use crate::run::{ONE_WRITE, Table};

pub const TABLES: &[Table] = &[
    Table {
        name: "stale",
        config: "ping_interval: \"1s\"\nping_max: 2\n",
        deliveries: ONE_WRITE,
        cases: &[
            ("never_answers", &[r#"A: CONNECT {"verbose":false}"#, "A<", "A<", "A<", "A."]),
            (
                "answers_once",
                &[r#"A: CONNECT {"verbose":false}"#, "A<", "A: PONG", "A<", "A<", "A<", "A."],
            ),
            ("without_connect", &["A: SUB foo 1", "A<", "A<", "A<", "A<", "A."]),
        ],
    },
    Table {
        name: "stale_at_once",
        config: "ping_interval: \"1s\"\nping_max: 0\n",
        deliveries: ONE_WRITE,
        cases: &[("connect", &[r#"A: CONNECT {"verbose":false}"#, "A<", "A."])],
    },
    Table {
        name: "first_ping",
        config: "",
        deliveries: ONE_WRITE,
        cases: &[("after_two_seconds", &[r#"A: CONNECT {"verbose":false}"#, "A<"])],
    },
    Table {
        name: "auth_timeout",
        config: "authorization { user: u, password: p, timeout: 2 }\n",
        deliveries: ONE_WRITE,
        cases: &[
            ("silence", &["A+", "A."]),
            ("cut_connect", &["A= CONNECT {\"user\":", "A."]),
            ("in_time", &[r#"A: CONNECT {"user":"u","pass":"p"}"#]),
        ],
    },
    Table {
        name: "auth_timeout_no_auth_user",
        config: "authorization { users: [ { user: u, password: p } ], timeout: 2 }\n\
                 no_auth_user: u\n",
        deliveries: ONE_WRITE,
        cases: &[("silence", &["A+", "A."]), ("in_time", &["A+", "A: PING"])],
    },
    Table {
        name: "lame_duck",
        config: "lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"10s\"\n",
        deliveries: ONE_WRITE,
        cases: &[(
            "info_then_close",
            &[
                r#"A: CONNECT {"verbose":false,"protocol":1}"#,
                r#"B: CONNECT {"verbose":false}"#,
                "@ USR2",
                "A<",
                "A: SUB foo 1",
                "A: PUB foo 1",
                "A: x",
                "A?",
                "B?",
            ],
        )],
    },
    Table {
        name: "lame_duck_close",
        config: "lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"100ms\"\n",
        deliveries: ONE_WRITE,
        cases: &[(
            "closed_after_grace",
            &[r#"A: CONNECT {"verbose":false,"protocol":1}"#, "A?", "@ USR2", "A."],
        )],
    },
    Table {
        name: "shutdown",
        config: "",
        deliveries: ONE_WRITE,
        cases: &[("term", &["n: SUB foo 1", "n?", "@ TERM", "n."])],
    },
];
