//! Failures that an upstream tells of in words on which no SDK of the client's family raises.

use super::{DONE, HI, ROLE, STOP, chunks, committing, piped, play, setup};
use crate::answers::readers::read;
use understudy::domain::dialect::Wire;
use understudy::domain::outcome::Class;
use understudy::domain::policy::Commit;
use understudy::domain::relay::Ending;
use understudy::domain::route::Family;

const CHAT: [(&str, Class); 5] = [
    ("data: {\"object\":\"error\",\"message\":\"boom\",\"code\":500}\n\n", Class::ServerError),
    ("data: [{\"error\":{\"code\":503,\"message\":\"boom\",\"status\":\"UNAVAILABLE\"}}]\n\n", Class::Overloaded),
    ("event: error\ndata: {\"message\":\"boom\"}\n\n", Class::ServerError),
    (
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"insufficient_system_resource\"}]}\n\n",
        Class::Overloaded,
    ),
    ("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}]}\n\n", Class::ServerError),
];
const MESSAGE: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\"}}\n\n\
    event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"Hi\"}}\n\n";
const NAMELESS: &str = "data: {\"error\":{\"type\":\"overloaded_error\",\"message\":\"boom\"}}\n\n";

/// It is passed on as it is, and said again in the client's dialect: else the answer would look finished.
#[test]
fn a_failure_in_other_words_is_told_in_the_clients_too() {
    let chat = CHAT.map(|(error, class)| (Family::Chat, [ROLE, HI].concat(), error, class));
    let messages = [(Family::Messages, MESSAGE.to_owned(), NAMELESS, Class::Overloaded)];
    for (family, lead, error, class) in chat.into_iter().chain(messages) {
        let wire = if family == Family::Chat { Wire::Chat } else { Wire::Messages };
        for way in [setup(wire, family), piped(setup(wire, family))] {
            let went = play(way.clone(), chunks(&[&lead, error]), Ending::Clean);
            assert!(went.client.starts_with(&format!("{lead}{error}")), "{}", went.client);
            assert!(went.client.contains("\"stream_error\""), "{way:?}: {}", went.client);
            let read = read(family, went.client.as_bytes());
            assert!(read.raised.is_some() && !read.ended, "{way:?}: {}", went.client);
            assert_eq!(went.tail.outcome.map(|failure| failure.class), Some(class), "{error}");
        }
    }
}

#[test]
fn nothing_is_told_behind_an_end_that_was_piped_or_before_the_commit() {
    for (error, class) in CHAT {
        let pieces = [ROLE, HI, error, STOP, DONE];
        let went = play(piped(setup(Wire::Chat, Family::Chat)), chunks(&pieces), Ending::Clean);
        assert_eq!((went.client, went.tail.outcome.map(|failure| failure.class)), (pieces.concat(), Some(class)));
        let went = play(setup(Wire::Chat, Family::Chat), chunks(&pieces), Ending::Clean);
        assert!(
            !went.client.contains("[DONE]") && went.client.matches("\"stream_error\"").count() == 1,
            "{}",
            went.client
        );
        let held = committing(Commit::Complete, setup(Wire::Chat, Family::Chat));
        let failure = play(held, chunks(&pieces), Ending::Clean).committed.expect_err("another target may answer");
        assert_eq!(failure.class, class);
    }
}
