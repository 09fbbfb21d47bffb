//! Questions that are sent elsewhere.

use crate::common::PATIENCE;
use crate::common::responder::{Bad, Fault};
use natssl::ocsp::fetch::{FetchError, get, get_for_peer, post};

const QUESTION: &[u8] = b"\xfb\xff?";
const ANSWER: &[u8] = b"an answer";

/// Responders that send on, with these statuses, to one that answers.
fn chain(statuses: &[u16]) -> Vec<Bad> {
    let mut all = vec![Bad::start(Fault::Says(ANSWER.to_vec()))];
    for status in statuses.iter().rev() {
        let next = all.last().unwrap().url.clone();
        all.push(Bad::start(Fault::Elsewhere(*status, format!("{next}/else/where"))));
    }
    all.reverse();
    all
}

fn says(result: Result<Vec<u8>, FetchError>) -> Result<Vec<u8>, String> {
    result.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_get_goes_where_it_is_sent_up_to_three_times() {
    for statuses in [&[301][..], &[302], &[303], &[307], &[308], &[302, 301, 308]] {
        let all = chain(statuses);
        assert_eq!(says(get(&all[0].url, QUESTION, PATIENCE).await).as_deref(), Ok(ANSWER));
        assert_eq!(
            says(get_for_peer(&all[0].url, QUESTION, PATIENCE).await).as_deref(),
            Ok(ANSWER)
        );
        assert!(all.iter().all(|responder| responder.asked() == 2), "{statuses:?}");
    }
    let far = chain(&[302; 4]);
    let error = says(get(&far[0].url, QUESTION, PATIENCE).await).unwrap_err();
    assert!(error.contains("sent elsewhere more than 3 times"), "{error}");
    assert_eq!(far[4].asked(), 0);
}

/// RFC 9110: with other statuses a POST becomes a GET, which has no question in it.
#[tokio::test]
async fn a_post_goes_with_its_question_or_not_at_all() {
    for status in [307, 308] {
        let all = chain(&[status]);
        assert_eq!(says(post(&all[0].url, QUESTION, PATIENCE).await).as_deref(), Ok(ANSWER));
    }
    for status in [301, 302, 303] {
        let all = chain(&[status]);
        let error = says(post(&all[0].url, QUESTION, PATIENCE).await).unwrap_err();
        assert!(error.contains(&format!("status on POST request (reqlen=3): {status}")), "{error}");
        assert_eq!(all[1].asked(), 0);
    }
}

#[tokio::test]
async fn a_place_may_be_a_path_and_is_http_only() {
    // To itself, which never ends by itself.
    let round = Bad::start(Fault::Elsewhere(302, "/again".to_owned()));
    let error = says(get(&round.url, QUESTION, PATIENCE).await).unwrap_err();
    assert!(error.contains("more than 3 times"), "{error}");
    assert_eq!(round.asked(), 4);
    for (place, complaint) in [
        ("https://127.0.0.1:1/", "only http:// responders are asked"),
        ("file:///etc/passwd", "status on GET request"),
        ("//127.0.0.1:1/", "only http:// responders are asked"),
        ("\u{1}", "invalid HTTP"),
        ("", "status on GET request"),
    ] {
        let bad = Bad::start(Fault::Elsewhere(302, place.to_owned()));
        let error = says(get(&bad.url, QUESTION, PATIENCE).await).unwrap_err();
        assert!(error.contains(complaint), "{place:?}: {error}");
    }
}
