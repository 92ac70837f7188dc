//! What a provider needs of the deployment: secrets that hold its key, variables in its URL, and what of them is missing.

use super::Provider;
use super::table::Dialect;
use super::template::{fill, shout};

/// What lets provider `sim` answer: on a loopback host alone, whatever the variable says.
pub const SIM_ON: &str = "SIM=on";

/// What a missing setting is called: a secret or a variable, and its name.
pub fn setting(name: &str) -> String {
    let aws = name.starts_with("AWS_");
    let secret = if aws || name.ends_with("_API_KEY") { "secret" } else { "variable" };
    // Of the two ways into Bedrock the one that wants a single secret.
    format!("{secret} {name}{}", if aws { " (or BEDROCK_API_KEY alone)" } else { "" })
}

impl Provider {
    /// The secrets that hold its managed key: alternatives, each a list of secrets needed together; empty when it needs
    /// none. `AWS_SESSION_TOKEN` goes along where it is set.
    pub fn secrets(&self, region: Option<&str>) -> Vec<Vec<String>> {
        if let Some(auth) = &self.auth {
            return vec![vec![auth.secret.clone()]];
        }
        let Some(row) = self.row.filter(|_| self.row_keys) else { return Vec::new() };
        let own = row.secrets.iter().map(|together| together.iter().map(|name| (*name).to_owned()).collect());
        let regional = region.filter(|_| self.dialect == Dialect::Azure && self.base_url.is_none());
        regional.map(|region| vec![format!("AZURE_{}_API_KEY", shout(region))]).into_iter().chain(own).collect()
    }

    /// The secret to name when its managed key is missing; `None` when it is there or none is needed.
    pub fn missing_secret(&self, region: Option<&str>, has: impl Fn(&str) -> bool) -> Option<String> {
        let secrets = self.secrets(region);
        if secrets.is_empty() || secrets.iter().any(|together| together.iter().all(|name| has(name))) {
            return None;
        }
        let begun = secrets.iter().find(|together| together.iter().any(|name| has(name)));
        let together = begun.or(secrets.last())?;
        together.iter().find(|name| !has(name)).cloned()
    }

    /// The variable that its URL needs and that is not set; `None` when there is none.
    pub fn missing_variable(&self, region: Option<&str>, has: impl Fn(&str) -> bool) -> Option<String> {
        let row = self.row.filter(|row| self.base_url.is_none() && row.base_url.contains('{'))?;
        let set = |name: &str| has(name).then(|| "set".to_owned());
        fill(row.base_url, row, region, &set).err().map(|missing| missing.0)
    }

    /// [`SIM_ON`] where `sim` would answer itself and that does not act; `None` for every other provider.
    pub fn missing_switch(&self, has: impl Fn(&str) -> bool) -> Option<String> {
        (self.name == "sim" && self.is_at_home() && !has(SIM_ON)).then(|| SIM_ON.to_owned())
    }

    /// What a call with its managed key lacks: a secret, else a variable, else the switch; `None` when nothing.
    pub fn missing_setting(&self, region: Option<&str>, has: impl Fn(&str) -> bool) -> Option<String> {
        let missing = self.missing_secret(region, &has).or_else(|| self.missing_variable(region, &has));
        missing.or_else(|| self.missing_switch(&has))
    }
}
