//! What mails say, as text and as HTML.

use banyan_core::html::escape;

/// A mail. Links are whole and last for `minutes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mail<'a> {
    /// To prove an address for a new account.
    Register {
        /// What proves it.
        link: &'a str,
        /// How long it does.
        minutes: u64,
    },
    /// To prove an address for an account that is there.
    Add {
        /// What proves it.
        link: &'a str,
        /// How long it does.
        minutes: u64,
    },
    /// To set a password that was forgotten.
    Reset {
        /// What allows it.
        link: &'a str,
        /// How long it does.
        minutes: u64,
    },
    /// Somebody wanted the address for an account, and it belongs to one already.
    HasAccount,
    /// Somebody wanted to set the password of the address's account, and it has none.
    NoAccount,
}

/// A mail in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// A paragraph of a mail.
enum Part<'a> {
    Words(String),
    Link { label: &'static str, target: &'a str },
}

impl Mail<'_> {
    /// The words of a mail of `server`.
    pub(crate) fn letter(&self, server: &str) -> Letter {
        let (subject, parts) = self.parts(server);
        let text: Vec<String> = parts.iter().map(Part::text).collect();
        let html: String = parts.iter().map(Part::html).collect();
        let title = escape(&subject);
        Letter {
            text: format!("{}\n", text.join("\n\n")),
            html: format!(
                "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\
                 <body style=\"font:16px/1.5 sans-serif;max-width:32em;margin:2em auto;padding:0 1em\">{html}</body></html>"
            ),
            subject,
        }
    }

    fn parts(&self, server: &str) -> (String, Vec<Part<'_>>) {
        let words = |text: String| Part::Words(text);
        let ignore = "If this was not you, you need not do anything.";
        match *self {
            Mail::Register { link, minutes } => (
                format!("Confirm your address for {server}"),
                vec![
                    words(format!(
                        "Somebody is making an account on {server} with this e-mail address. If it is you, open this link:"
                    )),
                    Part::Link { label: "Confirm the address", target: link },
                    words(format!("It works for {} and leads to one more question. {ignore}", lasting(minutes))),
                ],
            ),
            Mail::Add { link, minutes } => (
                format!("Confirm your address for {server}"),
                vec![
                    words(format!(
                        "Somebody wants to add this e-mail address to an account on {server}. Whoever has that account can then reach \
                         you here, and you can set its password by mail. If it is your account, open this link:"
                    )),
                    Part::Link { label: "Confirm the address", target: link },
                    words(format!("It works for {} and leads to one more question. {ignore}", lasting(minutes))),
                ],
            ),
            Mail::Reset { link, minutes } => (
                format!("A new password on {server}"),
                vec![
                    words(format!(
                        "Somebody asked to set a new password for your account on {server}. If it was you, open this link and then \
                         go on where you asked:"
                    )),
                    Part::Link { label: "Allow a new password", target: link },
                    words(format!(
                        "It works for {}. If this was not you, do not open it: whoever asked could then set the password of your \
                         account.",
                        lasting(minutes)
                    )),
                ],
            ),
            Mail::HasAccount => (
                format!("You have an account on {server}"),
                vec![
                    words(format!(
                        "Somebody asked {server} to use this e-mail address for an account. It belongs to one already, so nothing was \
                         changed."
                    )),
                    words(
                        "If it was you, log in to that account. If you forgot its password, your app can set a new one.".to_owned(),
                    ),
                    words(ignore.to_owned()),
                ],
            ),
            Mail::NoAccount => (
                format!("You have no account on {server}"),
                vec![
                    words(format!(
                        "Somebody asked for a new password for an account on {server} with this e-mail address. There is no such \
                         account: perhaps it has another address, or none."
                    )),
                    words(ignore.to_owned()),
                ],
            ),
        }
    }
}

impl Part<'_> {
    fn text(&self) -> String {
        match self {
            Self::Words(words) => words.clone(),
            Self::Link { target, .. } => (*target).to_owned(),
        }
    }

    fn html(&self) -> String {
        match self {
            Self::Words(words) => format!("<p>{}</p>", escape(words)),
            Self::Link { label, target } => format!("<p><a href=\"{}\">{}</a></p>", escape(target), escape(label)),
        }
    }
}

fn lasting(minutes: u64) -> String {
    match minutes {
        1 => "a minute".to_owned(),
        60 => "an hour".to_owned(),
        n if n % 60 == 0 => format!("{} hours", n / 60),
        n => format!("{n} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mail_says_the_same_in_text_and_html() {
        let (link, minutes) = ("https://x.test/?a=1&b=2", 120);
        for mail in [
            Mail::Register { link, minutes },
            Mail::Add { link, minutes },
            Mail::Reset { link, minutes },
            Mail::HasAccount,
            Mail::NoAccount,
        ] {
            let letter = mail.letter("x.test");
            assert!(letter.subject.contains("x.test") && !letter.text.contains('<'));
            let has_link = !matches!(mail, Mail::HasAccount | Mail::NoAccount);
            assert_eq!(letter.text.contains(&format!("\n\n{link}\n\n")), has_link, "{mail:?}");
            assert_eq!(letter.html.contains("<a href=\"https://x.test/?a=1&amp;b=2\">"), has_link);
            assert_eq!(letter.text.contains("2 hours"), has_link);
        }
    }

    #[test]
    fn what_comes_from_elsewhere_is_escaped() {
        let letter = Mail::Reset { link: "\"><script>", minutes: 1 }.letter("<b>");
        assert!(!letter.html.contains("<script>") && !letter.html.contains("<b>"), "{}", letter.html);
        assert!(letter.html.contains("&lt;b&gt;") && letter.text.contains("a minute"));
    }
}
