//! QEMU's plugin interface, version 1 (`qemu-plugin.h` of QEMU 4.2 to 8.1), as far as it is used here.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// Version of the interface.
pub const VERSION: c_int = 1;

/// Adds an immediate to a 64-bit number.
pub const ADD_U64: c_int = 0;

/// Which plugin this is.
pub type PluginId = u64;

/// Called for every block of instructions that QEMU translates.
pub type OnTranslation = extern "C" fn(PluginId, *mut c_void);

/// Called before an instruction runs, with the number of the processor.
pub type OnInstruction = extern "C" fn(c_uint, *mut c_void);

/// Says that a callback reads and writes no registers of the guest.
pub const NO_REGISTERS: c_int = 0;

/// Called when QEMU ends.
pub type OnEnd = extern "C" fn(PluginId, *mut c_void);

unsafe extern "C" {
    pub fn qemu_plugin_register_vcpu_tb_trans_cb(id: PluginId, callback: OnTranslation);
    pub fn qemu_plugin_register_atexit_cb(id: PluginId, callback: OnEnd, data: *mut c_void);
    pub fn qemu_plugin_tb_n_insns(block: *const c_void) -> usize;
    pub fn qemu_plugin_tb_get_insn(block: *const c_void, index: usize) -> *mut c_void;
    pub fn qemu_plugin_insn_vaddr(instruction: *const c_void) -> u64;
    pub fn qemu_plugin_insn_size(instruction: *const c_void) -> usize;
    pub fn qemu_plugin_insn_data(instruction: *const c_void) -> *const c_void;
    pub fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut c_void,
        callback: OnInstruction,
        registers: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_inline(
        instruction: *mut c_void,
        operation: c_int,
        number: *mut c_void,
        immediate: u64,
    );
}

/// What QEMU passes at the start; the fields are not read.
#[repr(C)]
pub struct Information {
    target_name: *const c_char,
    versions: [c_int; 2],
    is_system: bool,
    processors: [c_uint; 2],
}
