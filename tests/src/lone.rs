//! An engine in the test's own process: no cage, no daemon, a turn in microseconds.

use qrtd::page::Published;
use qrtd::protocol::{
    Budget, CodeError, Content, Delivery, Handle, Image, Memory, MemoryHandle, Native, Page, Power, Report, Wanted,
};
use qrtd::worker::{Codes, Engine, Loader, STACK_BYTES};

/// A budget that no honest program notices, and that ends others soon.
const BUDGET: Budget = Budget {
    ticks: 300,
    memory_bytes: 32 << 20,
    messages: 100,
    objects: 100,
    bytes: 4 << 20,
    log_lines: 100,
    jobs: 1000,
    calls: 64,
    cpu_ms: 2_000,
    wall_ms: 10_000,
};

/// No object calls another.
struct Nobody;

impl Loader for Nobody {
    fn load(&mut self, _: u64, _: Handle, _: &Codes) -> Result<Box<Image>, String> {
        Err("no such object".to_owned())
    }

    fn ask(&mut self, _: u64, _: MemoryHandle, _: Wanted, _: &Codes) -> Page {
        Page::default()
    }
}

/// The engine. Every object in it has all native powers; its Memory is whatever the test gives.
pub struct Lone {
    engine: Engine,
    turns: u64,
}

impl Default for Lone {
    fn default() -> Self {
        let page = Published::unread().expect("a page");
        Self { engine: Engine::new(Box::new(Nobody), page).expect("an engine"), turns: 0 }
    }
}

impl Lone {
    /// Takes in a text of code under its number.
    pub fn code(&self, code: u32, text: &str) {
        self.engine.codes().add(code, text.to_owned());
    }

    /// Runs that code for one turn, with these arguments in inside form and these properties of its Memory.
    /// The same arguments give the same report.
    pub fn run(&mut self, code: u32, args: &str, memory: &[(String, String)]) -> Report {
        self.turns += 1;
        let natives = Native::ALL.iter().map(|native| (native.name().to_owned(), *native)).collect();
        let memory = Memory { memory: code.into(), content: Content::Whole(memory.to_vec()) };
        let power = Power { statics: r#"{"list":[1],"ref":{"@qref":77}}"#.to_owned(), natives };
        self.engine.run(&Delivery {
            delivery: self.turns,
            target: Image { object: code.into(), code, power, memory: Some(memory) },
            args: args.to_owned(),
            clock_ms: 1_700_000_000_000,
            seed: [7; 32],
            first_made: 1 << 20,
            budget: BUDGET,
        })
    }

    /// Says whether `text` is code that an object can have.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&mut self, text: &str) -> Result<(), CodeError> {
        self.engine.check(text)
    }

    /// Whether it must be replaced before another turn.
    pub fn is_spent(&self) -> bool {
        self.engine.is_spent()
    }
}

/// Runs `test` on a thread with the stack an engine needs.
pub fn on_engine_stack<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(2 * STACK_BYTES).spawn(test).expect("a thread");
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
