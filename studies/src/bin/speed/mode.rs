//! The processor's flush-to-zero and denormals-are-zero mode, set outside the library to measure
//! its effect on times.
//!
//! The library does not change the mode: it flushes values when it stores them (`src/scalar.rs`). A
//! program that uses the library may change it.

use sparse_rtrl::error::{Error, Result};

/// Whether this program can switch the mode on this processor.
pub const KNOWN: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// Checks that the mode can be switched.
///
/// # Errors
/// On other processors than x86-64 and AArch64.
pub fn check() -> Result<()> {
    if KNOWN {
        Ok(())
    } else {
        Err(Error::setting("both-modes", "an x86-64 or AArch64 processor", std::env::consts::ARCH))
    }
}

/// Runs `work` with the mode on or off in every thread of the pool, and then restores the mode of
/// each thread.
pub fn with<R>(on: bool, work: impl FnOnce() -> R) -> R {
    let before = rayon::broadcast(|_| set(on));
    let result = work();
    rayon::broadcast(|thread| restore(before[thread.index()]));
    result
}

/// Flush-to-zero is bit 15 of MXCSR, denormals-are-zero bit 6.
#[cfg(target_arch = "x86_64")]
const BITS: u64 = 0x8040;
/// FZ is bit 24 of FPCR.
#[cfg(not(target_arch = "x86_64"))]
const BITS: u64 = 1 << 24;

/// Sets the mode of this thread. Returns the previous value of the register.
fn set(on: bool) -> u64 {
    let before = read();
    write(if on { before | BITS } else { before & !BITS });
    before
}

fn restore(before: u64) {
    write(before);
}

#[cfg(target_arch = "x86_64")]
fn read() -> u64 {
    let mut register = 0u32;
    // SAFETY: stores the 32 bits of MXCSR at the address of a live `u32`.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut register, options(nostack)) };
    u64::from(register)
}

#[cfg(target_arch = "x86_64")]
fn write(register: u64) {
    let register = register as u32;
    // SAFETY: only the two bits for subnormal numbers differ from the default, and they are
    // restored. The compiler may assume the default mode when it folds constants. This study
    // measures the time of code in a program that has changed the mode.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &register, options(nostack)) };
}

#[cfg(target_arch = "aarch64")]
fn read() -> u64 {
    let register: u64;
    // SAFETY: reads the floating-point control register.
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) register, options(nomem, nostack)) };
    register
}

#[cfg(target_arch = "aarch64")]
fn write(register: u64) {
    // SAFETY: only the bit for subnormal numbers differs from the default, and it is restored.
    unsafe { std::arch::asm!("msr fpcr, {}", in(reg) register, options(nomem, nostack)) };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn read() -> u64 {
    0
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn write(_: u64) {}
