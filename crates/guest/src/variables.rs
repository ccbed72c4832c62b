use service::concurrent;
use service::settings::{Role, SettingsError, VARIABLES};
use spin_sdk::variables::{self, Error};

/// The values of a component's variables by name. A list, because they are looked up once in the life of an instance.
pub struct Values(Vec<(&'static str, String)>);

impl Values {
    /// Returns the value of the variable; `None` if it is undefined.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }
}

/// Reads the variables of this component. Undefined ones are absent.
///
/// Each one is a host call, and with some providers a network call. They are concurrent, and made once per instance.
pub(crate) async fn read(role: Role) -> Result<Values, SettingsError> {
    let wanted = VARIABLES.iter().filter(|v| v.role == role || v.role == Role::Both);
    let found = concurrent::all(wanted.map(|v| async move { (v.name, variables::get(v.name).await) })).await;
    let mut values = Vec::with_capacity(found.len());
    for (name, value) in found {
        match value {
            Ok(value) => values.push((name, value)),
            Err(Error::Undefined(_)) => {}
            Err(_) => {
                return Err(SettingsError {
                    name,
                    accepted: "readable",
                    why: "the host's variable provider failed".to_owned(),
                });
            }
        }
    }
    Ok(Values(values))
}
