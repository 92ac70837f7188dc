//! The documents that a request's plan is made of, loaded before anything is decided: policies with all that they nest, and
//! the providers that they name.
//!
//! Resolved policies are kept with the versions of everything that went into them, and resolved again when one changes.

mod names;

pub use names::{chain_models, policy_names, provider_names};

use super::documents::{self, Loaded, StoreDown, load};
use crate::domain::document::Kind;
use crate::domain::policy::file::{self, HopFile, PolicyFile};
use crate::domain::policy::resolve::{self, Lookup, MAX_NESTING, World, references};
use crate::domain::policy::tree::Tree;
use crate::domain::provider::{Provider, document};
use crate::domain::target::{is_policy_name, is_provider_name};
use litemap::LiteMap;
use std::cell::RefCell;
use std::rc::Rc;
use worker::Env;

/// How many resolved policies an isolate keeps.
const MOST: usize = 1_000;

/// A stored policy, resolved.
#[derive(Clone)]
pub struct Stored {
    pub tree: Rc<Tree>,
    /// First 8 hex digits of the SHA-256 of its bytes.
    pub version: Rc<str>,
    /// A bad edit of it, or of something it nests, stands in KV.
    pub stale: bool,
}

/// Documents gathered for one request.
pub struct Library {
    default_provider: String,
    own_host: String,
    policies: LiteMap<String, PolicyCopy>,
    providers: LiteMap<String, ProviderCopy>,
}

enum PolicyCopy {
    Missing,
    Good { file: Rc<PolicyFile>, version: Rc<str>, stale: bool },
    Bad(String),
}

enum ProviderCopy {
    /// Neither built in nor configured.
    Missing,
    Good {
        provider: Rc<Provider>,
        stale: bool,
    },
    Bad(String),
}

/// What came of a policy's references.
#[derive(Default)]
struct Resolved {
    good: Option<Good>,
    /// What was gathered when it last did not resolve, so that each bad edit is logged once.
    refused: Option<String>,
}

/// A policy as it last resolved.
struct Good {
    /// Names and versions of all that went into it.
    of: String,
    tree: Rc<Tree>,
    version: Rc<str>,
}

thread_local! {
    static RESOLVED: RefCell<LiteMap<String, Resolved>> = RefCell::default();
    static BUILT_IN: RefCell<LiteMap<String, Option<Rc<Provider>>>> = RefCell::default();
}

impl Library {
    /// An empty one. `own_host` is this Worker's own host: no provider may point at it.
    pub fn new(default_provider: &str, own_host: &str) -> Library {
        Library {
            default_provider: default_provider.to_owned(),
            own_host: own_host.to_owned(),
            policies: LiteMap::new(),
            providers: LiteMap::new(),
        }
    }

    /// Loads the providers that these models name.
    ///
    /// # Errors
    /// The store does not answer and no copy is known.
    pub async fn gather_providers(&mut self, env: &Env, models: &[&str]) -> Result<(), StoreDown> {
        let asked: Vec<HopFile> = models.iter().map(|model| HopFile::of(*model)).collect();
        let mut providers = references(&asked).providers;
        providers.push(self.default_provider.clone());
        for name in providers {
            self.add_provider(env, &name).await?;
        }
        Ok(())
    }

    /// Takes in a policy as it stands in the store, in place of this isolate's copy; answers what it refers to.
    pub fn hold(&mut self, name: &str, bytes: &[u8], version: &str) -> Vec<HopFile> {
        let (copy, hops) = match file::parse(name, bytes) {
            Ok(file) => {
                let hops = file.chain.clone();
                (PolicyCopy::Good { file: Rc::new(file), version: version.into(), stale: false }, hops)
            }
            Err(bad) => (PolicyCopy::Bad(bad.to_string()), Vec::new()),
        };
        self.policies.insert(name.to_owned(), copy);
        hops
    }

    /// Loads a policy (`policy/<name>`) and what these hops refer to, and what that refers to in turn.
    ///
    /// # Errors
    /// The store does not answer and no copy is known.
    pub async fn gather(&mut self, env: &Env, policy: Option<&str>, hops: &[HopFile]) -> Result<(), StoreDown> {
        let mut wanted = references(hops);
        wanted.policies.extend(policy.and_then(|model| model.strip_prefix("policy/")).map(str::to_owned));
        for _ in 0..=MAX_NESTING + 1 {
            for name in std::mem::take(&mut wanted.providers) {
                self.add_provider(env, &name).await?;
            }
            for name in std::mem::take(&mut wanted.policies) {
                let found = self.add_policy(env, &name).await?;
                wanted.policies.extend(found.policies);
                wanted.providers.extend(found.providers);
            }
            if wanted.policies.is_empty() && wanted.providers.is_empty() {
                break;
            }
        }
        Ok(())
    }

    async fn add_policy(&mut self, env: &Env, name: &str) -> Result<resolve::References, StoreDown> {
        if !is_policy_name(name) || self.policies.contains_key(name) {
            return Ok(resolve::References::default());
        }
        let parse = |bytes: &[u8]| file::parse(name, bytes).map_err(|bad| bad.to_string());
        let copy = match load(env, &Kind::Policy.key(name), parse).await? {
            Loaded::Missing => PolicyCopy::Missing,
            Loaded::Good { value, version, stale } => PolicyCopy::Good { file: value, version, stale },
            Loaded::Bad(message) => PolicyCopy::Bad(message),
        };
        let refers = match &copy {
            PolicyCopy::Good { file, .. } => references(&file.chain),
            PolicyCopy::Missing | PolicyCopy::Bad(_) => resolve::References::default(),
        };
        self.policies.insert(name.to_owned(), copy);
        Ok(refers)
    }

    async fn add_provider(&mut self, env: &Env, name: &str) -> Result<(), StoreDown> {
        // Before a colon it is Google's name; before a slash it is whoever is stored under it.
        if name == "gemini" {
            self.add_named(env, "google").await?;
        }
        self.add_named(env, name).await
    }

    async fn add_named(&mut self, env: &Env, name: &str) -> Result<(), StoreDown> {
        if !is_provider_name(name) || self.providers.contains_key(name) {
            return Ok(());
        }
        let own_host = self.own_host.clone();
        let parse = |bytes: &[u8]| document::parse(name, bytes, Some(&own_host)).map_err(|bad| bad.to_string());
        let copy = match load(env, &Kind::Provider.key(name), parse).await? {
            Loaded::Good { value, stale, .. } => ProviderCopy::Good { provider: value, stale },
            Loaded::Bad(message) => ProviderCopy::Bad(message),
            Loaded::Missing => match built_in(name) {
                Some(provider) => ProviderCopy::Good { provider, stale: false },
                None => ProviderCopy::Missing,
            },
        };
        self.providers.insert(name.to_owned(), copy);
        Ok(())
    }

    /// The store's keys of all that was gathered.
    pub fn keys(&self) -> Vec<String> {
        let policies = self.policies.keys().map(|name| Kind::Policy.key(name));
        policies.chain(self.providers.keys().map(|name| Kind::Provider.key(name))).collect()
    }

    /// This Worker's own host.
    pub fn own_host(&self) -> &str {
        &self.own_host
    }

    /// Runs `with` in the world of these documents.
    pub fn world<T>(&self, with: impl FnOnce(World<'_>) -> T) -> T {
        with(World {
            default_provider: &self.default_provider,
            provider: &|name| self.has_provider(name),
            policy: &|name| match self.policies.get(name) {
                Some(PolicyCopy::Good { file, .. }) => Lookup::Found(file.clone()),
                Some(PolicyCopy::Bad(message)) => Lookup::Bad(message.clone()),
                Some(PolicyCopy::Missing) | None => Lookup::Missing,
            },
        })
    }

    fn has_provider(&self, name: &str) -> bool {
        matches!(self.providers.get(name), Some(ProviderCopy::Good { .. } | ProviderCopy::Bad(_)))
    }

    /// Whether a policy of that name was gathered, good or bad.
    pub fn has_policy(&self, name: &str) -> bool {
        matches!(self.policies.get(name), Some(PolicyCopy::Good { .. } | PolicyCopy::Bad(_)))
    }

    /// Whether a bad edit of anything that was gathered stands in KV.
    pub fn has_stale(&self) -> bool {
        self.has_stale_policy()
            || self.providers.values().any(|copy| matches!(copy, ProviderCopy::Good { stale: true, .. }))
    }

    fn has_stale_policy(&self) -> bool {
        self.policies.values().any(|copy| matches!(copy, PolicyCopy::Good { stale: true, .. }))
    }

    /// A stored policy, resolved. `None` when there is none of that name.
    ///
    /// # Errors
    /// The message of a document that does not parse or does not resolve.
    pub fn stored(&self, name: &str) -> Option<Result<Stored, String>> {
        match self.policies.get(name)? {
            PolicyCopy::Missing => {
                // What was deleted has no last good copy.
                RESOLVED.with_borrow_mut(|all| all.remove(name));
                None
            }
            PolicyCopy::Bad(message) => Some(Err(message.clone())),
            PolicyCopy::Good { file, version, stale } => {
                let stored = self.resolve(name, file, version).map(|tree| Stored {
                    tree,
                    version: version.clone(),
                    stale: *stale || self.has_stale_policy(),
                });
                // A copy that leads nowhere is no good one: told is what is wrong with the document as it stands.
                let now = || documents::wrong_with(&Kind::Policy.key(name)).filter(|_| *stale);
                Some(stored.map_err(|message| now().unwrap_or(message)))
            }
        }
    }

    fn resolve(&self, name: &str, file: &PolicyFile, version: &Rc<str>) -> Result<Rc<Tree>, String> {
        let of = self.fingerprint();
        let good = |all: &LiteMap<String, Resolved>| {
            let good = all.get(name)?.good.as_ref().filter(|good| good.of == of)?;
            Some(good.tree.clone())
        };
        if let Some(tree) = RESOLVED.with_borrow(good) {
            return Ok(tree);
        }
        let tree = Rc::new(self.world(|world| resolve::resolve(name, file, world)).map_err(|bad| bad.to_string())?);
        let good = Good { of, tree: tree.clone(), version: version.clone() };
        of_name(name, |resolved| *resolved = Resolved { good: Some(good), refused: None });
        Ok(tree)
    }

    /// A policy as it last resolved here, while what stands in KV does not (`message` says why not). `None` when it never
    /// did, or when a provider of its targets is gone.
    ///
    /// # Errors
    /// The store does not answer and no copy is known.
    pub async fn last_good(&mut self, env: &Env, name: &str, message: &str) -> Result<Option<Stored>, StoreDown> {
        let of = self.fingerprint();
        let (kept, is_new) = of_name(name, |resolved| {
            let is_new = resolved.refused.replace(of.clone()) != Some(of);
            (resolved.good.as_ref().map(|good| (good.tree.clone(), good.version.clone())), is_new)
        });
        let kept = match kept {
            Some(kept) if self.has_providers_of(env, &kept.0).await? => Some(kept),
            Some(_) | None => None,
        };
        // What does not parse was logged when it was read.
        let parses = matches!(self.policies.get(name), Some(PolicyCopy::Good { .. }));
        if is_new && (parses || kept.is_some()) {
            documents::warn_invalid(&Kind::Policy.key(name), message, kept.is_some());
        }
        Ok(kept.map(|(tree, version)| Stored { tree, version, stale: true }))
    }

    async fn has_providers_of(&mut self, env: &Env, tree: &Tree) -> Result<bool, StoreDown> {
        for hop in tree.hops() {
            self.add_provider(env, &hop.target.provider).await?;
        }
        Ok(tree.hops().iter().all(|hop| self.has_provider(&hop.target.provider)))
    }

    /// Names and versions of all that was gathered.
    fn fingerprint(&self) -> String {
        let mut text = String::new();
        for (name, copy) in self.policies.iter() {
            text.push_str(name);
            text.push('=');
            if let PolicyCopy::Good { version, .. } = copy {
                text.push_str(version);
            }
            text.push(';');
        }
        for (name, copy) in self.providers.iter() {
            if !matches!(copy, ProviderCopy::Missing) {
                text.push_str(name);
                text.push(';');
            }
        }
        text
    }

    /// A provider that was gathered. `None`: there is none of that name.
    ///
    /// # Errors
    /// The message of a document that does not parse and has no good copy.
    pub fn provider(&self, name: &str) -> Option<Result<Rc<Provider>, String>> {
        match self.providers.get(name)? {
            ProviderCopy::Missing => None,
            ProviderCopy::Bad(message) => Some(Err(message.clone())),
            ProviderCopy::Good { provider, .. } => Some(Ok(provider.clone())),
        }
    }
}

fn of_name<T>(name: &str, with: impl FnOnce(&mut Resolved) -> T) -> T {
    RESOLVED.with_borrow_mut(|all| {
        if all.len() >= MOST && all.get(name).is_none() {
            all.clear();
        }
        if all.get(name).is_none() {
            all.insert(name.to_owned(), Resolved::default());
        }
        match all.get_mut(name) {
            Some(resolved) => with(resolved),
            None => with(&mut Resolved::default()),
        }
    })
}

/// A built-in provider, made once per isolate.
pub fn built_in(name: &str) -> Option<Rc<Provider>> {
    BUILT_IN.with_borrow_mut(|all| match all.get(name) {
        Some(known) => known.clone(),
        None => {
            let made = Provider::built_in(name).map(Rc::new);
            if made.is_some() {
                all.insert(name.to_owned(), made.clone());
            }
            made
        }
    })
}
