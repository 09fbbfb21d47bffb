use super::*;
use proptest::prelude::*;

fn reached(list: &mut Sublist<u32>, subject: &str) -> (Vec<u32>, Vec<(String, Vec<u32>)>) {
    let found = list.matches(subject.as_bytes());
    let again = list.uncached(subject.as_bytes());
    assert_eq!((&found.plain, &found.queues), (&again.plain, &again.queues), "{subject}");
    let mut plain = found.plain.clone();
    plain.sort_unstable();
    let mut queues: Vec<_> = found
        .queues
        .iter()
        .map(|(name, members)| {
            let mut members = members.clone();
            members.sort_unstable();
            (String::from_utf8(name.to_vec()).unwrap(), members)
        })
        .collect();
    queues.sort();
    (plain, queues)
}

#[test]
fn queue_members_of_different_patterns_form_one_group() {
    let mut list = Sublist::new(true);
    assert!(list.insert(b"foo.*", Some(b"q"), 1));
    assert!(list.insert(b"foo.a", Some(b"q"), 2));
    assert!(list.insert(b"foo.a", Some(b"r"), 3));
    let (plain, queues) = reached(&mut list, "foo.a");
    assert!(plain.is_empty());
    assert_eq!(queues, [("q".to_owned(), vec![1, 2]), ("r".to_owned(), vec![3])]);
}

#[test]
fn invalid_subjects_are_refused_and_reach_nobody() {
    let mut list = Sublist::new(true);
    for bad in ["", "a..b", ".a", "a.", "a.>.b"] {
        assert!(!list.insert(bad.as_bytes(), None, 1), "{bad}");
    }
    assert!(list.insert(b">", None, 1));
    for bad in ["", "a..b", ".a", "a."] {
        assert!(list.matches(bad.as_bytes()).is_empty(), "{bad}");
    }
}

#[test]
fn removing_the_last_subscription_frees_the_tree() {
    let mut list = Sublist::new(true);
    list.insert(b"a.b.c", None, 1);
    list.insert(b"a.*.>", Some(b"q"), 2);
    assert!(!list.remove(b"a.b", None, &1));
    assert!(!list.remove(b"a.b.c", None, &2));
    assert!(list.remove(b"a.b.c", None, &1));
    assert!(list.remove(b"a.*.>", Some(b"q"), &2));
    assert!(list.root.is_empty());
    assert!(list.is_empty());
}

#[test]
fn cache_is_bounded_and_forgets_what_changed() {
    let mut list = Sublist::new(true);
    for i in 0..ACCOUNT_CACHE * 2 {
        list.matches(format!("s.{i}").as_bytes());
        assert!(list.cache_len() <= ACCOUNT_CACHE);
    }
    list.matches(b"x.y");
    list.insert(b"x.*", None, 9);
    assert_eq!(reached(&mut list, "x.y").0, [9]);
}

fn token_text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[ab]", 1 => Just("*".to_owned()), 1 => Just("a*".to_owned())]
}

fn pattern() -> impl Strategy<Value = String> {
    (proptest::collection::vec(token_text(), 1..4), any::<bool>()).prop_map(|(tokens, full)| {
        let text = tokens.join(".");
        if full { text + ".>" } else { text }
    })
}

proptest! {
    #[test]
    fn the_index_agrees_with_a_naive_matcher(
        ops in proptest::collection::vec((pattern(), proptest::option::of("[pq]"), any::<bool>()), 1..60),
        subjects in proptest::collection::vec(proptest::collection::vec("[ab]|a\\*", 1..5), 1..12),
    ) {
        let mut list = Sublist::new(true);
        let mut naive: Vec<(String, Option<String>, u32)> = Vec::new();
        for (id, (pattern, queue, remove)) in ops.into_iter().enumerate() {
            let id = u32::try_from(id).unwrap();
            if remove && !naive.is_empty() {
                let (pattern, queue, id) = naive.swap_remove(id as usize % naive.len());
                let queue = queue.as_deref().map(str::as_bytes);
                prop_assert!(list.remove(pattern.as_bytes(), queue, &id));
            } else {
                let bytes = queue.as_deref().map(str::as_bytes);
                prop_assert!(list.insert(pattern.as_bytes(), bytes, id));
                naive.push((pattern, queue, id));
            }
            for subject in &subjects {
                let subject = subject.join(".");
                let (plain, queues) = reached(&mut list, &subject);
                let mut hits: Vec<_> = naive
                    .iter()
                    .filter(|(p, _, _)| token::matches(p.as_bytes(), subject.as_bytes()))
                    .collect();
                hits.sort_by_key(|(_, _, id)| *id);
                let want: Vec<u32> =
                    hits.iter().filter(|h| h.1.is_none()).map(|h| h.2).collect();
                prop_assert_eq!(plain, want);
                for name in ["p", "q"] {
                    let want: Vec<u32> = hits
                        .iter()
                        .filter(|h| h.1.as_deref() == Some(name))
                        .map(|h| h.2)
                        .collect();
                    let got = queues.iter().find(|(n, _)| n == name).map(|(_, m)| m.clone());
                    prop_assert_eq!(got.unwrap_or_default(), want);
                }
            }
        }
        prop_assert_eq!(list.len(), naive.len());
    }
}
