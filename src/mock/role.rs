//! What people may do in an organisation.

/// The role of a user in one organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// May change keys, clients and settings.
    Admin,
    /// May look, and use tools.
    Member,
}

impl Role {
    /// The role of a user. There is no list of users, so everybody is an administrator, but for two
    /// of those that the sign-in page offers: `grace` in all organisations but `acme`, and `linus`.
    pub(crate) fn of(user: &str, org: &str) -> Self {
        match user {
            "linus" => Self::Member,
            "grace" if org != "acme" => Self::Member,
            _ => Self::Admin,
        }
    }

    /// Its name, as tokens carry it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn everybody_is_an_administrator_but_for_two() {
        for (user, org, name) in [
            ("ada", "globex", "admin"),
            ("somebody", "globex", "admin"),
            ("grace", "acme", "admin"),
            ("grace", "globex", "member"),
            ("linus", "acme", "member"),
        ] {
            assert_eq!(Role::of(user, org).name(), name, "{user} {org}");
        }
    }
}
