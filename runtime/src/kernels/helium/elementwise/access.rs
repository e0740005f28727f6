//! How the loops read and write eight elements: of 8 bits or of 16, all of them or those that a mask leaves.

/// Eight elements of the left operand, without their zero point.
macro_rules! left {
    (whole, narrow) => {
        "vldrb.s16 q0, [r1], #8\nvsub.i16 q0, q0, r5\n"
    };
    (whole, wide) => {
        "vldrh.u16 q0, [r1], #16\n"
    };
    (rest, narrow) => {
        "vpst\nvldrbt.s16 q0, [r1]\nvsub.i16 q0, q0, r5\n"
    };
    (rest, wide) => {
        "vpst\nvldrht.u16 q0, [r1]\n"
    };
}

/// Eight elements of the right operand, without their zero point.
macro_rules! right {
    (whole, narrow) => {
        "vldrb.s16 q1, [r2], #8\nvsub.i16 q1, q1, r6\n"
    };
    (whole, wide) => {
        "vldrh.u16 q1, [r2], #16\n"
    };
    (rest, narrow) => {
        "vpst\nvldrbt.s16 q1, [r2]\nvsub.i16 q1, q1, r6\n"
    };
    (rest, wide) => {
        "vpst\nvldrht.u16 q1, [r2]\n"
    };
}

/// Eight elements of the output: the even ones are in q2, the odd ones in q3.
macro_rules! output {
    (whole, narrow) => {
        "vqmovnb.s32 q2, q2\nvqmovnt.s32 q2, q3\nvqmovnb.s16 q2, q2\nvstrb.16 q2, [r3], #8\n"
    };
    (whole, wide) => {
        "vqmovnb.s32 q2, q2\nvqmovnt.s32 q2, q3\nvstrh.16 q2, [r3], #16\n"
    };
    (rest, narrow) => {
        "vqmovnb.s32 q2, q2\nvqmovnt.s32 q2, q3\nvqmovnb.s16 q2, q2\nvpst\nvstrbt.16 q2, [r3]\n"
    };
    (rest, wide) => {
        "vqmovnb.s32 q2, q2\nvqmovnt.s32 q2, q3\nvpst\nvstrht.16 q2, [r3]\n"
    };
}
