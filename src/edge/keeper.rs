//! The store's thread: disks and keychains block, and a keychain may ask a person.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;

use super::store::{Importer, Loaded, Store, SystemKeychain};
use crate::config::Config;
use crate::core::event::{Event, Notice, StoreCommand, StoreEvent};
use crate::core::oauth::login::Claim;
use crate::core::oauth::record::Record;

/// How long a sibling may hold the lock: longer than its token request may take.
const PATIENCE: Duration = Duration::from_secs(45);
/// How often what could not be written is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Asks the store, in order, and posts what it says.
#[derive(Debug)]
pub struct Keeper {
    commands: mpsc::Sender<StoreCommand>,
    done: mpsc::Receiver<()>,
}

impl Keeper {
    /// The store of the configured server. The thread sleeps until the first command.
    pub fn new(config: &Config, events: UnboundedSender<Event>) -> Self {
        let (commands, inbox) = mpsc::channel();
        let (ended, done) = mpsc::channel();
        let keychain = Box::new(SystemKeychain::new(config.desktop));
        let store =
            Store::new(config.state_dir.clone(), config.token_store, &config.store_key, keychain);
        let importer = Importer::new(config);
        let work = move || {
            serve(store, importer, &inbox, &events);
            ended.send(()).ok();
        };
        // Without a thread it is done at once.
        thread::Builder::new().name("store".to_owned()).spawn(work).ok();
        Self { commands, done }
    }

    /// Queues a command.
    pub fn send(&self, command: StoreCommand) {
        // The thread ends only with this sender.
        self.commands.send(command).ok();
    }

    /// Takes no more commands; the receiver hears when a write that is under way is done.
    pub fn close(self) -> mpsc::Receiver<()> {
        self.done
    }
}

fn serve(
    mut store: Store,
    mut importer: Option<Importer>,
    inbox: &mpsc::Receiver<StoreCommand>,
    events: &UnboundedSender<Event>,
) {
    loop {
        let command = if store.owes() {
            match inbox.recv_timeout(RETRY) {
                Ok(command) => command,
                Err(RecvTimeoutError::Timeout) => {
                    store.unlock();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    // The last chance for what could not be written.
                    store.unlock();
                    return;
                }
            }
        } else {
            let Ok(command) = inbox.recv() else { return };
            command
        };
        let event = match command {
            StoreCommand::Load => {
                // First, because a keychain may take its time over the other one.
                let remembered = StoreEvent::Recalled(store.recall().map(Bytes::from));
                events.send(Event::Store(remembered)).ok();
                load(&mut store, importer.as_mut(), events)
            }
            StoreCommand::Lead => {
                let leads = store.lead();
                let record = store.load().ok().and_then(|found| found.record).map(Box::new);
                let claim = store.claim();
                if leads {
                    StoreEvent::Leading(record, claim)
                } else {
                    StoreEvent::Following(record, claim)
                }
            }
            StoreCommand::Claim(claim) => {
                store.set_claim(claim.map(|claim| claim.after(store.claim())).as_ref());
                StoreEvent::Claimed
            }
            StoreCommand::Worked => {
                if matches!(store.claim(), Some(Claim::Failed { .. })) {
                    store.set_claim(None);
                }
                continue;
            }
            StoreCommand::Resign(claim) => {
                store.set_claim(claim.as_ref());
                store.resign();
                continue;
            }
            StoreCommand::Remember(bytes) => {
                store.remember(&bytes);
                continue;
            }
            StoreCommand::Lock => {
                if let Some(notice) = importer.as_mut().and_then(|it| it.look(&store)) {
                    events.send(Event::Store(StoreEvent::Told(notice))).ok();
                }
                match store.lock(PATIENCE) {
                    Ok(Loaded { record, warning }) => {
                        let told = warning.map(|text| StoreEvent::Told(Notice::Warning(text)));
                        told.map(|told| events.send(Event::Store(told)).ok());
                        StoreEvent::Locked(record.map(Box::new))
                    }
                    Err(error) => StoreEvent::Busy(error.to_string()),
                }
            }
            StoreCommand::Save(record) => save(&mut store, *record),
            StoreCommand::Doubt(generation) => {
                doubt(&mut store, generation);
                continue;
            }
            StoreCommand::Unlock => {
                store.unlock();
                continue;
            }
        };
        if events.send(Event::Store(event)).is_err() {
            return;
        }
    }
}

/// Reads the record, or imports one where there never was any.
fn load(
    store: &mut Store,
    importer: Option<&mut Importer>,
    events: &UnboundedSender<Event>,
) -> StoreEvent {
    let mut loaded = match store.load() {
        Ok(loaded) => loaded,
        Err(error) => return StoreEvent::Loaded(None, Some(error.to_string())),
    };
    if let Some(importer) = importer {
        let (found, notices) = importer.loaded(store, loaded);
        loaded = found;
        for notice in notices {
            events.send(Event::Store(StoreEvent::Told(notice))).ok();
        }
    }
    StoreEvent::Loaded(loaded.record.map(Box::new), loaded.warning)
}

/// Lets the client be registered again, unless somebody has signed in with it.
fn doubt(store: &mut Store, generation: u64) {
    let found = store.lock(Duration::ZERO).ok().and_then(|found| found.record);
    if let Some(record) = found.filter(|it| it.generation == generation && it.tokens.is_none()) {
        store.save(&record.without_client());
    }
    store.unlock();
}

/// Writes under the lock: the one that is held, or one of its own for a sign-in, whose record
/// must be newer than whatever a sibling has stored meanwhile.
fn save(store: &mut Store, mut record: Record) -> StoreEvent {
    let own = !store.is_locked() || store.owes();
    let mut warning = None;
    if !own && let Some(record) = store.overtaken() {
        return StoreEvent::Overtaken(Box::new(record));
    }
    if own {
        match store.lock(PATIENCE) {
            Ok(Loaded { record: Some(stored), .. }) => {
                record.generation = record.generation.max(stored.generation + 1);
            }
            Ok(Loaded { record: None, .. }) => {}
            Err(error) => warning = Some(error.to_string()),
        }
    }
    let warning = store.save(&record).or(warning);
    if own {
        store.settle();
        store.unlock();
    }
    StoreEvent::Saved { generation: record.generation, warning }
}
