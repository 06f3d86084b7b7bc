import { Chess } from 'chess.js';

export default ({ moves }) => {
    const game = new Chess();
    for (const move of moves) game.move(move);
    const illegal = (() => { try { game.move('Ke5'); return 'taken' } catch (error) { return error.message } })();
    return { fen: game.fen(), turn: game.turn(), check: game.inCheck(), legal: game.moves().sort(), board: game.ascii(), pgn: game.pgn(), illegal };
};
