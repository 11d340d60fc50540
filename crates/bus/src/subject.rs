//! The rules of NATS subjects: tokens between dots, and the wildcards of subscriptions.

use crate::{BusError, MAX_PAYLOAD, Message};

/// Refuses a message that NATS would refuse, so that both backends have the same rules.
pub(crate) fn check_message(message: &Message) -> Result<(), BusError> {
    check_tokens(&message.subject)?;
    if message.subject.split('.').any(|token| token == "*" || token == ">") {
        return Err(BusError::Refused(format!("{:?} has a wildcard and cannot be published to", message.subject)));
    }
    if message.payload.len() > MAX_PAYLOAD {
        return Err(BusError::Refused(format!("{} bytes are more than {MAX_PAYLOAD}", message.payload.len())));
    }
    let broken = |text: &str| text.contains(['\r', '\n']);
    match message.headers.iter().find(|(name, value)| name.is_empty() || name.contains([':', ' ']) || broken(name) || broken(value))
    {
        Some((name, _)) => Err(BusError::Refused(format!("{name:?} is no header's name, or its value has line breaks"))),
        None => Ok(()),
    }
}

/// Refuses a subscription that NATS would refuse.
pub(crate) fn check_pattern(pattern: &str) -> Result<(), BusError> {
    check_tokens(pattern)?;
    let tokens: Vec<&str> = pattern.split('.').collect();
    if tokens.iter().rev().skip(1).any(|token| *token == ">") {
        return Err(BusError::Refused(format!("{pattern:?}: > must be the last token")));
    }
    Ok(())
}

fn check_tokens(subject: &str) -> Result<(), BusError> {
    if subject.split('.').any(|token| token.is_empty() || token.contains(char::is_whitespace)) {
        return Err(BusError::Refused(format!("{subject:?} is not a subject: tokens without spaces, separated by dots")));
    }
    Ok(())
}

/// Whether a pattern has wildcards.
pub(crate) fn is_wildcard(pattern: &str) -> bool {
    pattern.split('.').any(|token| token == "*" || token == ">")
}

/// Whether a subject falls under a pattern.
pub(crate) fn matches(pattern: &str, subject: &str) -> bool {
    let mut subject = subject.split('.');
    for token in pattern.split('.') {
        let Some(actual) = subject.next() else { return false };
        if token == ">" {
            return true;
        }
        if token != "*" && token != actual {
            return false;
        }
    }
    subject.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_nats() {
        assert!(matches("rm.7", "rm.7"));
        assert!(matches("rm.*", "rm.7"));
        assert!(matches("rm.>", "rm.7.beacon"));
        assert!(matches("*.7", "us.7"));
        assert!(!matches("rm.*", "rm.7.beacon"));
        assert!(!matches("rm.>", "rm"));
        assert!(!matches("rm.7", "rm.70"));
        assert!(!matches("rm.7.beacon", "rm.7"));
    }

    #[test]
    fn what_nats_refuses_is_refused() {
        let message = |subject: &str| Message { subject: subject.to_owned(), headers: Vec::new(), payload: bytes::Bytes::new() };
        assert!(check_message(&message("rm.7")).is_ok());
        for subject in ["", "rm.", ".rm", "rm 7", "rm.*", "rm.>"] {
            assert!(check_message(&message(subject)).is_err(), "{subject:?}");
        }
        let mut large = message("rm.7");
        large.payload = vec![0; MAX_PAYLOAD + 1].into();
        assert!(check_message(&large).is_err());
        let mut split = message("rm.7");
        split.headers.push(("a".to_owned(), "b\r\nc: d".to_owned()));
        assert!(check_message(&split).is_err());
        assert!(check_pattern("rm.>").is_ok());
        assert!(check_pattern("rm.>.beacon").is_err());
    }
}
