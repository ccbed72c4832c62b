use std::collections::HashMap;

use futures::future::join_all;
use service::settings::{Role, SettingsError, VARIABLES};
use spin_sdk::variables::{self, Error};

/// Reads the variables of this component. Undefined ones are absent.
///
/// Each one is a host call, and with some providers a network call. They are concurrent, and made once per instance.
pub(crate) async fn read(role: Role) -> Result<HashMap<&'static str, String>, SettingsError> {
    let wanted = VARIABLES.iter().filter(|v| v.role == role || v.role == Role::Both);
    let found = join_all(wanted.map(|v| async move { (v.name, variables::get(v.name).await) })).await;
    let mut values = HashMap::with_capacity(found.len());
    for (name, value) in found {
        match value {
            Ok(value) => {
                values.insert(name, value);
            }
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
    Ok(values)
}
