import { BehaviorSubject, Subject, combineLatest, concat, filter, from, map, merge, of, queueScheduler, reduce, scan, observeOn, switchMap, take, toArray, catchError, throwError } from 'rxjs';

export default ({ people }) => {
    const seen = [];
    from(people).pipe(filter(p => p.age > 30), map(p => p.name), toArray()).subscribe(names => seen.push(names));
    of(1, 2, 3).pipe(scan((a, b) => a + b), reduce((a, b) => a * b)).subscribe(n => seen.push(n));
    const subject = new BehaviorSubject(0), other = new Subject();
    combineLatest([subject, other]).pipe(take(2)).subscribe(pair => seen.push(pair));
    other.next('a'); subject.next(1); subject.next(2);
    merge(of('m'), concat(of('c'), throwError(() => new Error('thrown')))).pipe(catchError(error => of(error.message))).subscribe(x => seen.push(x));
    of('q').pipe(observeOn(queueScheduler), switchMap(x => of(x, x))).subscribe(x => seen.push(x));
    return seen;
};
