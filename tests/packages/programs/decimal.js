import Decimal from 'decimal.js';

export default () => {
    const Precise = Decimal.clone({ precision: 60 });
    return [
        new Precise(2).sqrt(), Precise.exp(1), new Precise('0.1').plus('0.2'), new Precise(10).pow(-30), Precise.acos(-1),
        new Precise('123456789.123456789').times('987654321.987654321'), new Precise(1).div(7).toFraction(1000).join('/'), new Precise('0xff.8'),
    ].map(String);
};
