// A market maker: it quotes a price around its inventory, fills orders at it, and answers to
// whoever the order names.
//
//   null                    the current quote: {"bid", "ask", "cash", "stock", "orders"}
//   {"order": {"side": "buy" | "sell", "quantity": n, "limit": cents, "reply": <reference>}}
//                           `reply` is sent {"filled": {"side", "quantity", "price"}} or
//                           {"refused": "why"}, always exactly one of them
//
// Memory: {"cash": in cents, "stock": pieces, "price": in cents, "orders": how many came,
// "fills": how many were filled}. What it pays or delivers is booked in the same turn as the
// answer is sent, so cash and stock are never in two places, and never lost.
function marketMaker(args, power) {
  const book = power.memory;
  if (book === undefined) {
    throw new Error("market-maker keeps its book in its memory: install it without --no-memory");
  }
  book.cash ??= 1000000;
  book.stock ??= 500;
  book.price ??= 10000;
  book.orders ??= 0;
  book.fills ??= 0;

  const spread = 20;
  const ask = book.price + spread;
  const bid = Math.max(1, book.price - spread);
  if (args === null) {
    return { bid, ask, cash: book.cash, stock: book.stock, orders: book.orders };
  }

  const order = args.order;
  if (order === undefined || !Q.isReference(order.reply)) {
    throw new Error('send null for a quote, or {"order": {"side", "quantity", "limit", "reply": a reference}}');
  }
  const { side, quantity, limit, reply } = order;
  book.orders += 1;

  // Why the order cannot be filled, if it cannot.
  const objection = () => {
    if (side !== "buy" && side !== "sell") return 'the side must be "buy" or "sell"';
    if (!Number.isSafeInteger(quantity) || quantity < 1) return "the quantity must be a whole number, at least 1";
    if (side === "buy" && !(ask <= limit)) return `I ask ${ask}`;
    if (side === "sell" && !(bid >= limit)) return `I bid ${bid}`;
    if (side === "buy" && quantity > book.stock) return `I have only ${book.stock}`;
    if (side === "sell" && quantity * bid > book.cash) return `I can pay only ${book.cash}`;
    return null;
  };
  const refused = objection();
  if (refused !== null) {
    reply.sendOnly({ refused });
    return "refused";
  }

  const price = side === "buy" ? ask : bid;
  const sign = side === "buy" ? 1 : -1;
  book.cash += sign * quantity * price;
  book.stock -= sign * quantity;
  // Who buys drives the price up, who sells drives it down.
  book.price = Math.max(spread + 1, book.price + sign * 3 * quantity);
  book.fills += 1;
  reply.sendOnly({ filled: { side, quantity, price } });
  return "filled";
}
