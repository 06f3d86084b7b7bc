//! Answers that cost much, kept for a while.
//!
//! What is read through for one asker serves all who ask the same soon after, and for twenty times as long as it
//! took: so a console that asks each second, and ten of them, cost a twentieth of one processor at most, and a small
//! vat's answers are always new. One such answer is made at a time, so there is always a reader for others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Refusal;

/// How much longer an answer serves than it took.
const SERVES: u32 = 20;

/// How many answers are kept.
const KEPT: usize = 16;

/// Answers by what was asked.
pub(super) struct Recent<K, V>(Mutex<Vec<Kept<K, V>>>);

struct Kept<K, V> {
    question: K,
    answer: Arc<V>,
    until: Instant,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: PartialEq, V> Recent<K, V> {
    /// The answer to `question`: one that is kept, or what `make` finds.
    pub(super) async fn answer(
        &self,
        question: K,
        make: impl Future<Output = Result<V, Refusal>>,
    ) -> Result<Arc<V>, Refusal> {
        let mut kept = self.0.lock().await;
        let started = Instant::now();
        kept.retain(|kept| kept.until > started);
        if let Some(found) = kept.iter().find(|kept| kept.question == question) {
            return Ok(Arc::clone(&found.answer));
        }
        let answer = Arc::new(make.await?);
        let until = Instant::now() + (started.elapsed() * SERVES).min(Duration::from_mins(1));
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(Kept { question, answer: Arc::clone(&answer), until });
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_serves_twenty_times_as_long_as_it_took() {
        let recent = Recent::default();
        let ask = async |seconds, answer| {
            let make = async {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Ok(answer)
            };
            *recent.answer("?", make).await.unwrap_or_else(|_| panic!("an answer"))
        };
        assert_eq!(ask(1, 1).await, 1);
        tokio::time::advance(Duration::from_millis(19_990)).await;
        assert_eq!(ask(0, 2).await, 1);
        tokio::time::advance(Duration::from_millis(20)).await;
        assert_eq!(ask(0, 2).await, 2, "and no longer");
        assert_eq!(ask(0, 3).await, 3, "what took no time is not kept");
    }
}
