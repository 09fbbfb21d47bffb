use super::*;
use proptest::prelude::*;

const PARSER: Parser = Parser { max_control_line: 64, max_payload: 1024, headers: true };

fn one(input: &[u8]) -> Op<'_> {
    match next_both_ways(&PARSER, input) {
        Step::Op { op, consumed } => {
            assert_eq!(consumed, input.len());
            op
        }
        other => panic!("{other:?}"),
    }
}

fn error(input: &[u8]) -> ProtocolError {
    match next_both_ways(&PARSER, input) {
        Step::Error(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn publish_with_and_without_reply() {
    let op = one(b"PUB foo 5\r\nhello\r\n");
    let expected =
        Message { subject: b"foo", reply: b"", header_len: 0, body: b"hello", sizes: b"5" };
    assert_eq!(op, Op::Publish(expected));
    let op = one(b"pub\tfoo  bar 0\n\r\n");
    let expected =
        Message { subject: b"foo", reply: b"bar", header_len: 0, body: b"", sizes: b"0" };
    assert_eq!(op, Op::Publish(expected));
}

#[test]
fn header_publish_keeps_the_block_in_the_message() {
    let op = one(b"HPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n");
    let Op::Publish(publish) = op else { panic!("{op:?}") };
    assert_eq!(publish.header_len, 12);
    assert_eq!(publish.body, b"NATS/1.0\r\n\r\nhi");
}

#[test]
fn verbs_without_argument_ignore_what_follows() {
    assert_eq!(one(b"PING\r\n"), Op::Ping);
    assert_eq!(one(b"ping junk\r\n"), Op::Ping);
    assert_eq!(one(b"PONGx\n"), Op::Pong);
    assert_eq!(one(b"+OK\r\n"), Op::Ok);
}

#[test]
fn connect_needs_no_blank() {
    assert_eq!(one(b"CONNECT{}\r\n"), Op::Connect(b"{}"));
    assert_eq!(one(b"CONNECT  {}\r\n"), Op::Connect(b"{}"));
    assert_eq!(one(b"CONNECT\r\n"), Op::Connect(b""));
}

#[test]
fn unknown_operations_are_refused_at_the_first_wrong_byte() {
    for (input, at) in [
        (&b"X"[..], 0),
        (b"\x16\x03\x01", 0),
        (b"GET / HTTP/1.1\r\n", 0),
        (b"PUX", 2),
        (b"SUB\r\n", 3),
        (b"MSG foo 1 0\r\n", 0),
        (b"PUB foo 2\r\nabXY", 13),
        (b"PUB foo 2\r\nab\rY", 14),
    ] {
        match error(input) {
            ProtocolError::UnknownOperation { at: got, .. } => assert_eq!(got, at, "{input:?}"),
            other => panic!("{input:?}: {other:?}"),
        }
    }
}

#[test]
fn argument_errors_name_the_operation() {
    for (input, text) in [
        (&b"PUB foo\r\n"[..], "processPub Parse Error: \"foo\""),
        (b"PUB foo abc\r\n", "processPub Bad or Missing Size: \"foo abc\""),
        (b"PUB foo -1\r\n", "processPub Bad or Missing Size: \"foo -1\""),
        (b"PUB a b c 1\r\n", "processPub Parse Error: \"a b c 1\""),
        (b"SUB foo\r\n", "processSub Parse Error: \"foo\""),
        (b"UNSUB \r\n", "processUnsub Parse Error: \"\""),
        (b"HPUB foo 20 2\r\n", "processHeaderPub Header Size larger then TotalSize: \"foo 20 2\""),
        (b"HPUB foo x 2\r\n", "processHeaderPub Bad or Missing Header Size: \"foo x 2\""),
        (b"HPUB foo 2 x\r\n", "processHeaderPub Bad or Missing Total Size: \"foo 2 x\""),
        (b"PUB foo 1025\r\n", "maximum payload exceeded: 1025 vs 1024"),
    ] {
        assert_eq!(error(input).to_string(), text);
    }
    let without = Parser { headers: false, ..PARSER };
    let Step::Error(error) = without.next(b"HPUB foo 2 2\r\n") else { panic!() };
    assert_eq!(error, ProtocolError::HeadersNotSupported);
}

#[test]
fn control_line_limit_holds_for_complete_and_incomplete_lines() {
    let at_limit = [b"SUB ".as_slice(), &[b'a'; 62], b" 1\r\n"].concat();
    assert!(matches!(PARSER.next(&at_limit), Step::Op { .. }));
    let over = [b"SUB ".as_slice(), &[b'a'; 63], b" 1\r\n"].concat();
    assert!(matches!(PARSER.next(&over), Step::Error(ProtocolError::ControlLine { .. })));
    let endless = [b"SUB ".as_slice(), &[b'a'; 65]].concat();
    assert!(matches!(PARSER.next(&endless), Step::Error(ProtocolError::ControlLine { .. })));
    let blanks = [b"SUB".as_slice(), &[b' '; 500]].concat();
    assert!(matches!(PARSER.next(&blanks), Step::Error(ProtocolError::ControlLine { .. })));
}

#[test]
fn the_short_cut_agrees_with_the_general_rule() {
    for line in [
        &b"foo 5"[..],
        b"foo bar 5",
        b"foo  5",
        b" foo 5",
        b"foo 5 ",
        b"foo\t5",
        b"foo bar\t5",
        b"5",
        b" 5",
        b"foo",
        b"",
        b"a b c 5",
        b"foo 1234567890",
        b"foo 000000001",
        b"foo bar5",
        b"fo\ro 5",
        b"foo bar  5",
        b"foo  bar 5",
        b"a.subject.longer.than.a.word a.reply.longer.than.a.word 5",
        b"a.subject.longer.than.a.word a.reply.longer.than\ta.word 5",
        b"a.subject.longer.than\ra.word 5",
        b"a.subject.longer\tthan.a.word 5",
    ] {
        let args = split::<3>(line);
        let (subject, reply, sizes) = match args.count {
            2 => (args.items[0], &[][..], args.items[1]),
            _ => (args.items[0], args.items[1], args.items[2]),
        };
        let size = parse_size(sizes).filter(|_| (2..=3).contains(&args.count));
        let general = size.map(|size| Head { subject, reply, header: 0, size, sizes });
        let whole = [line, &b"\r\n"[..]].concat();
        if let Some((short, end)) = PARSER.usual_line::<false>(&whole) {
            assert_eq!((Some(short), end), (general, whole.len()), "{line:?}");
        }
        for cut in 0..whole.len() {
            assert!(PARSER.usual_line::<false>(&whole[..cut]).is_none(), "{cut} of {line:?}");
        }
    }
    for usual in
        [&b"foo 5\r\n"[..], b"foo bar 5\r\n", b"5 5\r\n", b"foo 5 5\r\n", b"f 123456789\r\nPUB"]
    {
        assert!(PARSER.usual_line::<false>(usual).is_some(), "{usual:?}");
    }
    for other in [&b"foo 5\n"[..], b"foo 5\r", b"foo bar\r\n", b"foo 1234567890\r\n", b"foo 5\rx"] {
        assert!(PARSER.usual_line::<false>(other).is_none(), "{other:?}");
    }
    // Exactly as long as a line may be, and one more.
    let limit = PARSER.max_control_line;
    for (length, usual) in [(limit, true), (limit + 1, false)] {
        let line = [vec![b'a'; length - 2], b" 5\r\n".to_vec()].concat();
        assert_eq!(PARSER.usual_line::<false>(&line).is_some(), usual, "{length}");
    }
}

#[test]
fn a_whole_pub_in_the_usual_form_is_found_sooner() {
    let (short, long) = (b"PUB foo 5\r\nhello\r\n", b"PUB foo bar 5\r\nhello\r\nPI");
    for (input, length, reply) in [(&short[..], 18, &b""[..]), (long, 22, b"bar")] {
        let message =
            Message { subject: b"foo", reply, header_len: 0, body: b"hello", sizes: b"5" };
        assert_eq!(PARSER.usual(input), Some((message, length)));
        for cut in 0..length {
            assert_eq!(PARSER.usual(&input[..cut]), None, "{cut}");
        }
    }
    for (input, reply, header_len, sizes) in [
        (&b"HPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"[..], &b""[..], 12, &b"12 14"[..]),
        (b"HPUB foo bar 012 14\r\nNATS/1.0\r\n\r\nhi\r\n", b"bar", 12, b"012 14"),
        (b"HPUB foo 5 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", b"5", 12, b"12 14"),
        (b"HPUB foo 00 14\r\nNATS/1.0\r\n\r\nhi\r\n", b"", 0, b"14"),
    ] {
        let body = b"NATS/1.0\r\n\r\nhi";
        let message = Message { subject: b"foo", reply, header_len, body, sizes };
        assert_eq!(PARSER.usual(input), Some((message, input.len())));
        assert_eq!(one(input), Op::Publish(message));
        for cut in 0..input.len() {
            assert_eq!(PARSER.usual(&input[..cut]), None, "{cut}");
        }
        assert_eq!(Parser { headers: false, ..PARSER }.usual(input), None);
    }
    for other in [
        &b"HPUB foo 3 2\r\nxx\r\n"[..],
        b"HPUB foo 2\r\nxx\r\n",
        b"HPUB foo 1  2\r\nxx\r\n",
        b"HPUB foo 1 2 \r\nxx\r\n",
    ] {
        assert_eq!(PARSER.usual(other), None, "{other:?}");
    }
    let large = [b"PUB foo 1025\r\n", &[b'x'; 1025][..], b"\r\n"].concat();
    for other in [&b"pub foo 0\r\n\r\n"[..], b"PUB foo 1\r\nxx\r\n", b"PUB foo 1\r\nx\n\n", &large]
    {
        assert_eq!(PARSER.usual(other), None, "{other:?}");
    }
}

#[test]
fn the_first_blank_is_found_wherever_it_stands() {
    for length in 0..20 {
        for other in [b'!', b'a', 0x7f, 0x80, 0xa0, 0xff] {
            let text = vec![other; length];
            assert_eq!(first_blank(&text), None, "{other}");
            for at in 0..length {
                for byte in 0..=b' ' {
                    let mut text = text.clone();
                    text[at] = byte;
                    // A later one changes nothing.
                    text[length - 1] = if at < length - 1 { b'\t' } else { byte };
                    assert_eq!(first_blank(&text), Some(at), "{text:?}");
                }
            }
        }
    }
}

#[test]
fn sizes_are_kept_as_written() {
    let parser = Parser { max_control_line: 256, max_payload: 64, headers: true };
    for (input, want) in [
        (&b"PUB a 002\r\nhi\r\n"[..], &b"002"[..]),
        (b"PUB  a\t r 002 \r\nhi\r\n", b"002"),
        (b"HPUB a 02 0004\r\nhhhi\r\n", b"02 0004"),
        (b"HPUB a r 2  4\r\nhhhi\r\n", b""),
        (b"HPUB a 00 02\r\nhi\r\n", b"02"),
    ] {
        let Step::Op { op: Op::Publish(publish), .. } = parser.next(input) else {
            panic!("{input:?}");
        };
        assert_eq!(publish.sizes, want, "{input:?}");
    }
}

/// Feeds `input` in the given pieces the way the driver does and returns what came out.
fn feed(input: &[u8], cuts: &[usize]) -> (Vec<String>, Option<ProtocolError>) {
    let mut out = Vec::new();
    let mut carry: Vec<u8> = Vec::new();
    let mut need = 1;
    let mut from = 0;
    let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (input.len() + 1)).collect();
    cuts.push(input.len());
    cuts.sort_unstable();
    for cut in cuts {
        carry.extend_from_slice(&input[from..cut]);
        from = cut;
        let mut at = 0;
        while carry.len() - at >= need {
            match next_both_ways(&PARSER, &carry[at..]) {
                Step::Op { op, consumed } => {
                    out.push(format!("{op:?}"));
                    at += consumed;
                    need = 1;
                }
                Step::Need(n) => {
                    assert!(n > carry.len() - at, "Need must ask for more");
                    need = n;
                }
                Step::Error(error) => return (out, Some(error)),
            }
        }
        carry.drain(..at);
    }
    (out, None)
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => ("[a-z.*>]{1,9}", proptest::collection::vec(any::<u8>(), 0..40)).prop_map(|(s, p)| {
            [format!("PUB {s} {}\r\n", p.len()).as_bytes(), &p, b"\r\n"].concat()
        }),
        2 => ("[a-z.]{1,9}", "[a-z0-9]{1,9} |", 0..40_usize, proptest::collection::vec(any::<u8>(), 0..40)).prop_map(
            |(s, r, head, p)| {
                [format!("HPUB {s} {r}{head} {}\r\n", p.len()).as_bytes(), &p, b"\r\n"].concat()
            }
        ),
        2 => ("[a-z.]{1,9}", "[a-z]{1,9}", proptest::collection::vec(any::<u8>(), 0..40)).prop_map(
            |(s, r, p)| {
                let head = p.len() / 2;
                [format!("HPUB {s} {r} {head} {}\r\n", p.len()).as_bytes(), &p, b"\r\n"].concat()
            }
        ),
        2 => "SUB [a-z]{1,5} [0-9]{1,3}\r\n".prop_map(String::into_bytes),
        1 => "UNSUB [0-9]{1,3}( [0-9]{1,2})?\r\n".prop_map(String::into_bytes),
        1 => "(PING|PONG|\\+OK|CONNECT \\{\\}|INFO \\{\\}|-ERR 'x')\r?\n".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ]
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_how_the_bytes_arrive(
        pieces in proptest::collection::vec(piece(), 0..12),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let input = pieces.concat();
        let whole = feed(&input, &[]);
        let every: Vec<usize> = (0..=input.len()).collect();
        let (ops, error) = feed(&input, &cuts);
        prop_assert_eq!(&whole.0, &ops);
        // The snippet of an error shows as much as had arrived; its kind is the same.
        prop_assert_eq!(whole.1.as_ref().map(std::mem::discriminant), error.as_ref().map(std::mem::discriminant));
        let (ops, error) = feed(&input, &every);
        prop_assert_eq!(&whole.0, &ops);
        prop_assert_eq!(whole.1.as_ref().map(std::mem::discriminant), error.as_ref().map(std::mem::discriminant));
    }
}
