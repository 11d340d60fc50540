//! `banyan user`: accounts, through a homeserver that runs. The command talks to its client-server API: only a running process may write
//! to the store.

mod create;
mod reset_password;
mod server;

use std::{
    error::Error,
    fs,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Make an account. The tenant needs registration.shared_secret_file.
    Create(create::Create),
    /// Set somebody's password, as an administrator.
    ResetPassword(reset_password::ResetPassword),
}

impl User {
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match self {
            Self::Create(create) => runtime.block_on(create.run()),
            Self::ResetPassword(reset) => runtime.block_on(reset.run()),
        }
    }
}

/// Where the new password comes from: never from the command line, which everybody on the machine can read.
#[derive(Args, Debug)]
struct Password {
    /// A file whose first line is the password. Default: the first line of standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Password {
    fn read(&self) -> Result<String, Box<dyn Error>> {
        let line = match &self.password_file {
            Some(file) => first_line(file)?,
            None if io::stdin().is_terminal() => {
                return Err("give the password in --password-file or on standard input, where nobody sees it being typed".into());
            }
            None => {
                let mut line = String::new();
                io::stdin().read_line(&mut line)?;
                line.trim_end_matches(['\r', '\n']).to_owned()
            }
        };
        if line.is_empty() { Err("the password is empty".into()) } else { Ok(line) }
    }
}

/// The first line of a file that holds a secret.
fn first_line(file: &Path) -> Result<String, Box<dyn Error>> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_a_file_s_first_line_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        let read = |text: &str| {
            fs::write(&file, text).unwrap();
            Password { password_file: Some(file.clone()) }.read().map_err(|error| error.to_string())
        };
        assert_eq!(read(" a b \r\nmore\n").as_deref(), Ok(" a b "));
        assert_eq!(read("\n").unwrap_err(), "the password is empty");
        let missing = Password { password_file: Some(dir.path().join("none")) };
        assert!(missing.read().unwrap_err().to_string().contains("none"));
    }
}
