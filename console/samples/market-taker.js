// A market taker: round after round it orders from the market maker in `power.maker`, and books
// the answer. It makes one more object, a ticker that shares its memory.
//
//   null                    where it stands: {"cash", "stock", "rounds", "left", "ticker"}
//   {"begin": {"me": <reference to this object>, "rounds": n}}
//                           order n times; `me` is where the maker's answers go
//   {"filled": ...}, {"refused": ...}
//                           the maker's answer to the order that is open
//
// Install it with --power '{"maker": {"@qref": "<the maker's QRID>"}}'.
//
// Memory: {"cash": in cents, "stock": pieces, "rounds": answers booked, "left": rounds to go,
// "open": whether an order is on its way, "last": the last answer, "seed": what its moods come
// from, "me", "ticker": references}.
function marketTaker(args, power) {
  const book = power.memory;
  const maker = power.maker;
  if (book === undefined || !Q.isReference(maker)) {
    throw new Error('market-taker needs its memory and --power \'{"maker": {"@qref": "<QRID>"}}\'');
  }
  book.cash ??= 1000000;
  book.stock ??= 100;
  book.rounds ??= 0;
  book.left ??= 0;
  book.open ??= false;
  book.seed ??= 20251;

  // Lehmer's generator (modulus 2^31 - 1, multiplier 48271): moods that can be replayed.
  const mood = (sides) => {
    book.seed = (book.seed * 48271) % 2147483647;
    return book.seed % sides;
  };

  const order = () => {
    if (book.left === 0 || book.open) return;
    const quantity = 1 + mood(5);
    // The more it has, the more gladly it sells; what it has not, it never sells.
    const buys = book.stock < quantity || mood(200) >= book.stock;
    const side = buys ? "buy" : "sell";
    const limit = buys ? Math.floor(book.cash / quantity) : 1;
    book.open = true;
    maker.sendOnly({ order: { side, quantity, limit, reply: book.me } });
  };

  if (args === null) {
    return { cash: book.cash, stock: book.stock, rounds: book.rounds, left: book.left, ticker: book.ticker ?? null };
  }

  if (args.begin !== undefined) {
    const { me, rounds } = args.begin;
    if (!Q.isReference(me) || !Number.isSafeInteger(rounds) || rounds < 1) {
      throw new Error('send {"begin": {"me": {"@qref": "<this object\'s QRID>"}, "rounds": a whole number}}');
    }
    book.me = me;
    book.left += rounds;
    if (book.ticker === undefined) {
      // The very same memory: what this object books, the ticker shows. Its code only reads.
      book.ticker = power.make_object(
        "function ticker(args, power) {\n" +
        "  const { rounds, last, cash, stock } = power.memory;\n" +
        "  return { rounds, last: last ?? null, cash, stock };\n" +
        "}",
        { memory: power.memory },
      );
    }
    order();
    return { left: book.left, ticker: book.ticker };
  }

  if (args.filled === undefined && args.refused === undefined) {
    throw new Error('send null, {"begin": ...}, or an answer: {"filled": ...} or {"refused": ...}');
  }
  if (!book.open) {
    throw new Error("an answer although no order is open");
  }
  if (args.filled !== undefined) {
    const { side, quantity, price } = args.filled;
    const sign = side === "buy" ? 1 : -1;
    book.cash -= sign * quantity * price;
    book.stock += sign * quantity;
  }
  book.last = args;
  book.open = false;
  book.rounds += 1;
  book.left -= 1;
  order();
  return { left: book.left };
}
