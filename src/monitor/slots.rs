//! Places on the monitoring port. When all are taken, whoever has waited longest without asking
//! anything makes room: half-open connections do not keep a probe out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

pub struct Slots {
    free: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    /// Connections that are asked for nothing, by when that began.
    idle: BTreeMap<u64, AbortHandle>,
}

/// A place, until it is dropped.
pub struct Slot {
    slots: Arc<Slots>,
    place: Mutex<Place>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Default)]
struct Place {
    task: Option<AbortHandle>,
    /// Key in [`State::idle`].
    idle: Option<u64>,
}

impl Slots {
    pub fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(count)), state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits only while every connection is being answered. `None`: the server is going down.
    pub async fn take(self: &Arc<Self>) -> Option<Slot> {
        if self.free.available_permits() == 0 {
            let oldest = self.lock().idle.pop_first();
            if let Some((_, task)) = oldest {
                task.abort();
            }
        }
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        Some(Slot { slots: Arc::clone(self), place: Mutex::default(), _permit: permit })
    }
}

impl Slot {
    /// The connection is served by this task, and is asked for nothing yet.
    pub fn occupy(&self, task: AbortHandle) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).task = Some(task);
        self.rest();
    }

    /// A request came.
    pub fn work(&self) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = place.idle.take() {
            self.slots.lock().idle.remove(&idle);
        }
    }

    /// It is answered.
    pub fn rest(&self) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(task) = place.task.clone() else { return };
        let mut state = self.slots.lock();
        state.next += 1;
        let number = state.next;
        state.idle.insert(number, task);
        if let Some(before) = place.idle.replace(number) {
            state.idle.remove(&before);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.work();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    /// A connection in its place until it is aborted.
    fn connection(slot: Slot) -> (Arc<Slot>, JoinHandle<()>) {
        let slot = Arc::new(slot);
        let (give, given) = oneshot::channel::<Arc<Slot>>();
        let task = tokio::spawn(async move {
            let _slot = given.await;
            std::future::pending::<()>().await;
        });
        slot.occupy(task.abort_handle());
        assert!(give.send(Arc::clone(&slot)).is_ok());
        (slot, task)
    }

    #[test]
    fn the_one_idle_for_longest_makes_room() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let slots = Slots::new(3);
            let mut tasks = Vec::new();
            for _ in 0..3 {
                tasks.push(connection(slots.take().await.unwrap()));
            }
            // The first is being answered, the second was just now, the third never asked.
            tasks[0].0.work();
            tasks[1].0.work();
            tasks[1].0.rest();
            let tasks: Vec<_> = tasks.into_iter().map(|(_, task)| task).collect();
            let fourth = connection(slots.take().await.unwrap());
            assert!(tasks[2].is_finished() && !tasks[1].is_finished());
            let fifth = connection(slots.take().await.unwrap());
            assert!(tasks[1].is_finished() && !tasks[0].is_finished());
            drop((fourth.0, fifth.0));
            fourth.1.abort();
            assert!(fourth.1.await.unwrap_err().is_cancelled());
            // Nobody has to go for the one that is free now.
            let _sixth = slots.take().await.unwrap();
            assert!(!fifth.1.is_finished());
            fifth.1.abort();
            let _ = fifth.1.await;
            tasks[0].abort();
            let _ = tasks.into_iter().next().unwrap().await;
            assert!(slots.lock().idle.is_empty());
        });
    }
}
