//! What means nothing: other line ends, comments, fields and events that nobody knows, JSON over many lines, a missing last blank.

use super::readers::events;
use super::{streams, ways, went};
use serde_json::{Value, json};
use understudy::domain::dialect::Wire;
use understudy::domain::relay::Ending;

type Named = (String, String);

/// A stream of these events, each line of data in a field of its own.
fn stream(events: &[Named]) -> String {
    let mut out = String::new();
    for (name, data) in events {
        if !name.is_empty() {
            out.push_str(&format!("event: {name}\n"));
        }
        data.split('\n').for_each(|line| out.push_str(&format!("data: {line}\n")));
        out.push('\n');
    }
    out
}

fn each(events: &[Named], change: impl Fn(Value) -> String) -> String {
    let changed = |(name, data): &Named| {
        let value = serde_json::from_str::<Value>(data).ok();
        (name.clone(), value.map_or_else(|| data.clone(), &change))
    };
    stream(&events.iter().map(changed).collect::<Vec<_>>())
}

/// Fields that nobody knows, in every object but those of clients.
fn extended(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            let own = ["input", "arguments", "tools", "metadata", "schema", "parameters"];
            for (_, field) in fields.iter_mut().filter(|(name, _)| !own.contains(&name.as_str())) {
                *field = extended(field.take());
            }
            fields.insert("x_new".to_owned(), json!({"deep": [1, {"a": null}]}));
            fields.insert("x_text".to_owned(), json!("text"));
        }
        Value::Array(list) => list.iter_mut().for_each(|item| *item = extended(item.take())),
        _ => {}
    }
    value
}

/// The same answer in other dress.
fn dressed(wire: Wire, text: &str) -> Vec<(&'static str, String)> {
    let list = events(text.as_bytes());
    let fields =
        |dress: fn(&str, &str) -> String| list.iter().map(|(name, data)| dress(name, data)).collect::<String>();
    let unknown = match wire {
        Wire::Chat => (String::new(), json!({"object": "weather", "choices": []}).to_string()),
        _ => ("weather".to_owned(), json!({"type": "weather", "what": {"a": [1]}}).to_string()),
    };
    // Anthropic's and OpenAI's SDKs want their first event first.
    let (first, rest) = list.split_first().expect("an event");
    let between = rest.iter().flat_map(|event| [unknown.clone(), event.clone()]);
    let mut dressed = vec![
        ("CRLF", text.replace('\n', "\r\n")),
        ("CR", text.replace('\n', "\r")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("no blank behind the colon", text.replace("data: ", "data:").replace("event: ", "event:")),
        ("comments", text.replace("\n\n", "\n\n: keep\n\n: two\n")),
        ("ids", fields(|name, data| format!("id: 5\nretry: 10\nevent: {name}\ndata: {data}\n\n"))),
        ("the data first", fields(|name, data| format!("data: {data}\nevent: {name}\n\n"))),
        ("no last blank line", text.trim_end().to_owned()),
        ("no last blank line, CRLF", text.trim_end().replace('\n', "\r\n")),
        ("JSON over many lines", each(&list, |value| serde_json::to_string_pretty(&value).expect("JSON"))),
        ("unknown fields", each(&list, |value| extended(value).to_string())),
        ("unknown events", stream(&std::iter::once(first.clone()).chain(between).collect::<Vec<_>>())),
    ];
    if wire != Wire::Chat {
        dressed.push(("no names", fields(|_, data| format!("data: {data}\n\n"))));
    }
    dressed
}

#[test]
fn what_means_nothing_changes_nothing() {
    for (case, wire, bytes) in streams() {
        let text = stream(&events(&bytes));
        let dressed = dressed(wire, &text);
        for way in ways(wire) {
            let (plain, wanted) = went(&way, text.as_bytes(), Ending::Clean);
            for (dress, text) in &dressed {
                let (went, got) = went(&way, text.as_bytes(), Ending::Clean);
                let place = format!("{case} for {}, {dress}", way.family.name());
                assert_eq!(got, wanted, "{place}: {}", went.client);
                assert_eq!(went.committed.is_ok(), plain.committed.is_ok(), "{place}");
                assert_eq!(
                    (went.tail.outcome, went.tail.usage),
                    (plain.tail.outcome.clone(), plain.tail.usage),
                    "{place}"
                );
            }
        }
    }
}
