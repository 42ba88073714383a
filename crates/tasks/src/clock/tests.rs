//! Time moves as it is told.

use super::*;

#[test]
fn a_manual_clock_moves_only_when_told() {
    let manual = ManualClock::new(Micros(1_000));
    let clock = manual.clock();
    assert_eq!((clock.now(), clock.monotonic_ms()), (Micros(1_000), 0));
    manual.advance(Duration::from_millis(3));
    assert_eq!((clock.now(), clock.monotonic_ms()), (Micros(4_000), 3));
    manual.set(Micros(-5));
    assert_eq!((clock.now(), clock.monotonic_ms()), (Micros(-5), 3));
}

#[test]
fn the_system_clock_lies_after_2025_and_its_monotonic_side_never_goes_back() {
    let clock = Clock::system();
    assert!(clock.now() > Micros(1_735_689_600_000_000));
    let first = clock.monotonic();
    assert!(clock.monotonic() >= first);
}
