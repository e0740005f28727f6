//! The integer arithmetic that every kernel shares.
//!
//! Everything wraps at 32 bits. The exporter proves that nothing wraps in its programs; in a
//! hostile one the result is still defined, and nothing panics.

use bytemuck::Pod;

/// `((value << shift) * multiplier + 2^31) >> 32`, the product in 64 bits, the right shift towards
/// minus infinity: the one rounding rule.
#[inline(always)]
pub fn rescale(value: i32, multiplier: i32, shift: u8) -> i32 {
    let product = i64::from(value.wrapping_shl(shift.into())) * i64::from(multiplier);
    ((product + (1 << 31)) >> 32) as i32
}

/// Keeps the compiler from unrolling the loop it stands in: on processors with thirteen registers
/// that costs more in spills than it saves in branches. It compiles to nothing.
#[inline(always)]
#[cfg_attr(all(feature = "cortex-m4", target_arch = "arm"), allow(unsafe_code))]
pub fn keep_rolled() {
    #[cfg(all(feature = "cortex-m4", target_arch = "arm"))]
    // SAFETY: no instruction at all.
    unsafe {
        core::arch::asm!("", options(nomem, nostack, preserves_flags));
    }
}

/// An element of an integer tensor.
pub trait Integer: Pod {
    /// Widens.
    fn widen(self) -> i32;
    /// Limits to the range of the type.
    fn saturate(value: i32) -> Self;
}

impl Integer for i8 {
    #[inline(always)]
    fn widen(self) -> i32 {
        self.into()
    }

    #[inline(always)]
    fn saturate(value: i32) -> Self {
        value.clamp(-128, 127) as i8
    }
}

impl Integer for i16 {
    #[inline(always)]
    fn widen(self) -> i32 {
        self.into()
    }

    #[inline(always)]
    fn saturate(value: i32) -> Self {
        value.clamp(-32768, 32767) as i16
    }
}

/// Calls `$function::<T>($arguments)` with the Rust type of an integer element type; for f32 and
/// i32, which integer programs do not have, nothing.
macro_rules! with_integer {
    ($element:expr, $type:ident => $body:expr) => {
        match convrnn_format::Element::from_byte($element) {
            Some(convrnn_format::Element::I8) => {
                type $type = i8;
                $body
            }
            Some(convrnn_format::Element::I16) => {
                type $type = i16;
                $body
            }
            Some(convrnn_format::Element::F32 | convrnn_format::Element::I32) | None => {}
        }
    };
}
pub(crate) use with_integer;

/// [`with_integer`] for the element type of an operation's output, of which only those among the uses are built.
macro_rules! with_output {
    ($uses:expr, $kind:expr, $element:expr, $type:ident => $body:expr) => {
        match convrnn_format::Element::from_byte($element) {
            Some(convrnn_format::Element::I8)
                if $crate::uses::Uses::from_bits($uses).has_output($kind, convrnn_format::Element::I8) =>
            {
                type $type = i8;
                $body
            }
            Some(convrnn_format::Element::I16)
                if $crate::uses::Uses::from_bits($uses).has_output($kind, convrnn_format::Element::I16) =>
            {
                type $type = i16;
                $body
            }
            Some(_) | None => {}
        }
    };
}
pub(crate) use with_output;
