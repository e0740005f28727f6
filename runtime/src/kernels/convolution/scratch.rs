//! Working memory on the stack.
#![allow(unsafe_code)]

use bytemuck::Pod;
use core::mem::MaybeUninit;

/// Elements of which only those that are used are cleared, since clearing takes time.
pub(super) struct Scratch<T, const LENGTH: usize>([MaybeUninit<T>; LENGTH]);

impl<T: Pod, const LENGTH: usize> Scratch<T, LENGTH> {
    pub fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; LENGTH])
    }

    /// The first elements, all zero; no more than there are.
    pub fn zeroed(&mut self, count: usize) -> &mut [T] {
        let elements = self.0.get_mut(..count.min(LENGTH)).unwrap_or(&mut []);
        for element in elements.iter_mut() {
            element.write(T::zeroed());
        }
        // SAFETY: every element of the slice has just been written.
        unsafe { elements.assume_init_mut() }
    }
}
