//! The user model: somebody with a number that counts as theirs only once it is verified. In memory; your database goes here.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use verifyd::VerificationId;
use verifyd::phone::PhoneNumber;

/// Where a user's number stands. The data of a state are in it: there is no verified user without a number.
#[derive(Clone, Debug)]
pub(crate) enum Phone {
    /// A code is on its way.
    Pending(VerificationId),
    /// They hold it.
    Verified(PhoneNumber),
}

/// Somebody who signed up.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) phone: Phone,
}

/// The user table.
#[derive(Debug, Default)]
pub(crate) struct Users(Mutex<HashMap<u64, User>>);

impl Users {
    fn table(&self) -> MutexGuard<'_, HashMap<u64, User>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, name: String, verification: VerificationId) -> User {
        let mut table = self.table();
        let id = u64::try_from(table.len()).unwrap_or(u64::MAX) + 1;
        let user = User { id, name, phone: Phone::Pending(verification) };
        table.insert(id, user.clone());
        user
    }

    pub(crate) fn find(&self, id: u64) -> Option<User> {
        self.table().get(&id).cloned()
    }

    /// Marks a number as held, if the user is still waiting for this very verification.
    pub(crate) fn verified(&self, id: u64, verification: VerificationId, number: PhoneNumber) -> Option<User> {
        let mut table = self.table();
        let user = table.get_mut(&id)?;
        if matches!(user.phone, Phone::Pending(pending) if pending == verification) {
            user.phone = Phone::Verified(number);
        }
        Some(user.clone())
    }
}
