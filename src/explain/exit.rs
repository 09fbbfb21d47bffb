//! What the process ends with.

/// Exit code, of what, meaning, remedy.
pub const EXIT_CODES: &[(u8, &str, &str, &str)] = &[
    (
        0,
        "server and commands",
        "An orderly end: a signal, or the command did what was asked. Also after a flag that does \
         not exist, as with nats-server.",
        "Nothing.",
    ),
    (
        1,
        "server and commands",
        "The server could not start: configuration, files, ports. Of 'audit': something was found. \
         Of 'explain': the code is not known. Of 'tls probe': the handshake failed.",
        "The last line on standard error, or the line with [FTL] in the log, says why.",
    ),
    (
        2,
        "commands",
        "The command line or a file of the command could not be read. Of 'tls probe': no NATS \
         server, or none that could be reached.",
        "The line on standard error says what; --help shows the command line.",
    ),
    (
        3,
        "fips check, tls probe",
        "Of 'fips check': neither proven nor asked for. Of 'tls probe': the handshake was good, and \
         the certificate is not: chain, name or time.",
        "fips check: use the fips build, or a machine in FIPS mode. tls probe: its lines say what to \
         mend.",
    ),
    (
        78,
        "server and commands",
        "FIPS mode was asked for and is not in force, or was lost while the server ran; nothing is \
         served.",
        "The line has a number, FIPS-01 to FIPS-27: explain it. natssl fips check shows the \
         evidence. Service managers should not start it again by themselves.",
    ),
];
