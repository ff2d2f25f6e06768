//! Ends of commands: the four exit codes that scripts rely on.

use watershed::client::ClientError;

/// Reason for which a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The work could not be done; exit code 1.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
    /// The command line or a file it names is wrong; exit code 2.
    #[error("{0}")]
    Usage(String),
    /// A guard refused it; exit code 3.
    #[error("{0}")]
    Refused(String),
}

impl CommandError {
    /// Exit code of the process.
    #[must_use]
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
        }
    }
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        match error.status() {
            Some(400 | 404) => Self::Usage(error.to_string()),
            Some(409) => Self::Refused(error.to_string()),
            None if matches!(error, ClientError::Address { .. } | ClientError::Token) => {
                Self::Usage(error.to_string())
            }
            _ => Self::Failed(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_exit_codes() {
        let code = |status| {
            let (error, hint) = ("x".to_owned(), String::new());
            let answered = ClientError::Answered {
                status,
                error,
                hint,
                body: Box::default(),
            };
            CommandError::from(answered).exit_code()
        };
        assert_eq!(
            [400, 404, 409, 401, 403, 429, 500, 503].map(code),
            [2, 2, 3, 1, 1, 1, 1, 1]
        );
        let address = ClientError::Address { url: "x".into() };
        assert_eq!(CommandError::from(address).exit_code(), 2);
        let gone = ClientError::Unreachable {
            url: "x".into(),
            why: "y".into(),
        };
        assert_eq!(CommandError::from(gone).exit_code(), 1);
    }
}
