//! The words and texts by which providers say what went wrong, as data. Sources: the error pages of the providers, their
//! SDKs, and recorded answers.

use crate::domain::outcome::Class;

/// Error codes and types, normalised by [`normal`], that say by themselves what happened.
const WORDS: &[(Class, &[&str])] = &[
    (
        Class::QuotaExhausted,
        &[
            "insufficientquota",
            "creditbalanceexhausted",
            "organizationspendlimitexceeded",
            "projectspendlimitexceeded",
            "organizationusagelimitexceeded",
            "enforcedspendlimitreached",
            "spendlimitexceeded",
            "billing",
            "billinghardlimitreached",
            "billingnotactive",
            "insufficientbalance",
            "insufficientcredits",
            "paymentrequired",
        ],
    ),
    (
        Class::ContextLength,
        &["contextlengthexceeded", "contextwindowexceeded", "modelcontextwindowexceeded", "requesttoolarge"],
    ),
    (
        Class::ContentPolicy,
        &[
            "contentfilter",
            "contentfiltered",
            "contentpolicy",
            "contentpolicyviolation",
            "imagecontentpolicyviolation",
            "responsibleaipolicyviolation",
            "invalidprompt",
            "moderationblocked",
            "misalignmentpolicyviolation",
            "biopolicy",
            "cyberpolicy",
            "guardrailintervened",
            "datainspectionfailed",
        ],
    ),
    (
        Class::RateLimited,
        &[
            "ratelimit",
            "ratelimited",
            "ratelimitexceeded",
            "ratelimitreached",
            "toomanyrequests",
            "throttling",
            "throttled",
            "requests",
            "tokens",
            "servicequotaexceeded",
            "requestlimitexceeded",
            "modelnotready",
        ],
    ),
    (
        Class::Overloaded,
        &[
            "overloaded",
            "serverisoverloaded",
            "serveroverloaded",
            "capacityexceeded",
            "engineoverloaded",
            "modeloverloaded",
            "serviceunavailable",
            "unavailable",
            "slowdown",
            "insufficientsystemresource",
        ],
    ),
    (
        Class::Timeout,
        &["timeout", "modeltimeout", "requesttimeout", "gatewaytimeout", "deadlineexceeded", "vectorstoretimeout"],
    ),
    (
        Class::Auth,
        &[
            "authentication",
            "invalidauthentication",
            "invalidapikey",
            "incorrectapikey",
            "apikeyinvalid",
            "invalidtoken",
            "unauthenticated",
            "unauthorized",
            "unrecognizedclient",
            "expiredtoken",
            "incompletesignature",
            "invalidsignature",
            "signaturedoesnotmatch",
            "requestexpired",
            "invalidclienttokenid",
            "missingauthenticationtoken",
            "accountdeactivated",
        ],
    ),
    (
        Class::Forbidden,
        &[
            "permission",
            "permissiondenied",
            "accessdenied",
            "forbidden",
            "requestforbidden",
            "notauthorized",
            "unsupportedcountryregionterritory",
            "dataresidencymismatch",
            "mpagreementbeingcreated",
            "ftuformnotfilled",
            "failedprecondition",
        ],
    ),
    (
        Class::NotFound,
        &[
            "notfound",
            "modelnotfound",
            "resourcenotfound",
            "deploymentnotfound",
            "modelnotavailable",
            "unknownmodel",
            "modeldecommissioned",
        ],
    ),
    (
        Class::Unsupported,
        &[
            "unsupportedparameter",
            "unsupportedvalue",
            "unknownparameter",
            "unsupportedfeature",
            "operationnotsupported",
        ],
    ),
];

/// Words that say no more than a status does: they count inside a 200, where there is no status.
const VAGUE: &[(Class, &[&str])] = &[
    (
        Class::InvalidRequest,
        &[
            "invalidrequest",
            "badrequest",
            "validation",
            "invalidargument",
            "conflict",
            "invalidvalue",
            // What a Responses stream fails with for a picture that it was given.
            "invalidimage",
            "invalidimageformat",
            "invalidimagemode",
            "invalidimageurl",
            "invalidbase64image",
            "imagetoolarge",
            "imagetoosmall",
            "imagefiletoolarge",
            "imageparse",
            "imagefilenotfound",
            "emptyimagefile",
            "unsupportedimagemediatype",
            "failedtodownloadimage",
        ],
    ),
    (
        Class::ServerError,
        &["server", "internalserver", "internal", "api", "upstream", "badgateway", "modelstreamerror", "model"],
    ),
];

/// Texts of messages, lowercase, in the order in which they are looked for. The statuses of each are in [`fits`].
const TEXTS: &[(Class, &[&str])] = &[
    (
        Class::QuotaExhausted,
        &[
            "credit balance is too low",
            "insufficient balance",
            "insufficient credits",
            "exceeded your current quota",
            "too many tokens per day",
            "spend limit",
            "spending limit",
            "used all available credits",
            "credits are depleted",
            "specified api usage limits",
            "billing hard limit",
            "any credits or licenses",
            "daily free allocation",
            "is suspended, possibly due to reaching",
        ],
    ),
    (
        Class::ContextLength,
        &[
            "maximum context length",
            "input tokens exceed the configured limit",
            "exceeds the context window",
            "context window of this model",
            "prompt is too long",
            "exceed context limit",
            "input is too long for requested model",
            "too many tokens",
            "expected maxlength",
            "exceed model maximum",
            "exceeds the maximum number of tokens allowed",
            "longer than the model's context length",
            "requested token count exceeds",
            "exceeds the available context size",
            "maximum prompt length is",
            "context window limit",
            "maximum context limit",
            "tokens + `max_new_tokens` must be",
            "number of input tokens exceeds",
            "reduce the length of the messages",
            "longer than the maximum model length",
            "too long to fit into the model",
            "context length is only",
            "context_length_exceeded",
            "exceeds max length",
            "length of all messages is too long",
            "too many input tokens",
            "greater than the context length",
            "context window exceeds limit",
        ],
    ),
    (
        Class::ContentPolicy,
        &[
            "output blocked by content filtering policy",
            "content management policy",
            "content filtering policy",
            "flagged as potentially violating our usage policy",
            "rejected as a result of our safety system",
            "your request was flagged",
            "your input was flagged",
            "content exists risk",
            "content violates usage guidelines",
        ],
    ),
    (
        Class::Auth,
        &[
            "invalid api key",
            "incorrect api key",
            "api key not valid",
            "api key expired",
            "make sure your api key is valid",
            "token has expired",
            "invalid x-api-key",
            "security token included in the request is",
            "invalid subscription key",
            "organization has been disabled",
        ],
    ),
    (
        Class::Forbidden,
        &[
            "user location is not supported",
            "country, region, or territory not supported",
            "use case details have not been submitted",
            "operation not allowed",
        ],
    ),
    (
        Class::NotFound,
        &[
            "provided model identifier is invalid",
            "on-demand throughput isn",
            "is not a valid model id",
            "model does not exist",
            "model not found",
            "model not exist",
            "no such model",
        ],
    ),
    (
        Class::Unsupported,
        &[
            "does not support",
            "do not support",
            "doesn't support",
            "doesn’t support",
            "cannot find field",
            "is deprecated for this model",
            "type is unavailable now",
            "is not supported",
            "are not supported",
            "not supported with this model",
            "not supported by this model",
            "not supported on this model",
            "is unsupported",
            "unsupported parameter",
            "unsupported value",
            "extra inputs are not permitted",
            "extraneous key",
            "unrecognized request argument",
            "unknown parameter",
        ],
    ),
];

/// Texts that say that a limit is spent where the word beside them speaks of rates.
const SPENT: [&str; 4] =
    ["spending limit", "used all available credits", "credits are depleted", "daily free allocation"];

/// Whether a message says so.
pub fn says_spent(message: &str) -> bool {
    let message = message.to_lowercase();
    SPENT.iter().any(|text| message.contains(text))
}

/// A code or type as the tables write it: lowercase letters and digits, without the `Error` or `Exception` at its end.
pub fn normal(word: &str) -> String {
    let plain: String = word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let stem = plain.strip_suffix("exception").or(plain.strip_suffix("error")).unwrap_or(&plain);
    stem.to_owned()
}

/// The class that a word stands for.
pub fn by_word(word: &str) -> Option<Class> {
    find(WORDS, word)
}

/// The class that a word stands for where no status says more.
pub fn by_vague_word(word: &str) -> Option<Class> {
    find(VAGUE, word)
}

fn find(table: &[(Class, &[&str])], word: &str) -> Option<Class> {
    table.iter().find(|(_, words)| words.contains(&word)).map(|(class, _)| *class)
}

/// The class that a message's text names, among those that the status (none inside a 200) leaves open.
pub fn by_text(message: &str, status: Option<u16>) -> Option<Class> {
    let message = message.to_lowercase();
    // Bedrock says "Too many tokens, please wait" of a throttle, and "too many tokens" of a prompt.
    let waits = message.contains("please wait");
    let named = |(class, texts): &&(Class, &[&str])| {
        fits(*class, status)
            && !(waits && *class == Class::ContextLength)
            && texts.iter().any(|text| message.contains(text))
    };
    TEXTS.iter().find(named).map(|(class, _)| *class)
}

/// Whether a text may turn an answer of this status into this class.
fn fits(class: Class, status: Option<u16>) -> bool {
    let Some(status) = status else { return true };
    match class {
        Class::QuotaExhausted => matches!(status, 400 | 402 | 403 | 412 | 429),
        Class::ContextLength => matches!(status, 400 | 413 | 422 | 500),
        Class::ContentPolicy => matches!(status, 400 | 403 | 422),
        Class::Auth => matches!(status, 400 | 403),
        Class::Forbidden | Class::NotFound => matches!(status, 400 | 403 | 422),
        Class::Unsupported => matches!(status, 400 | 422),
        Class::RateLimited
        | Class::Overloaded
        | Class::ServerError
        | Class::Timeout
        | Class::Unreachable
        | Class::Malformed
        | Class::Interrupted
        | Class::InvalidRequest
        | Class::Cancelled => false,
    }
}

/// The class of a status that nothing else explains.
pub const fn by_status(status: u16) -> Class {
    match status {
        401 => Class::Auth,
        402 => Class::QuotaExhausted,
        403 => Class::Forbidden,
        404 => Class::NotFound,
        408 | 504 | 524 => Class::Timeout,
        429 => Class::RateLimited,
        400..=499 => Class::InvalidRequest,
        503 | 529 => Class::Overloaded,
        520..=523 | 525..=527 | 530 => Class::Unreachable,
        500..=599 => Class::ServerError,
        _ => Class::Malformed,
    }
}
