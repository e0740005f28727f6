//! Fixed-stride little-endian records: one definition gives decoder and encoder.

/// A value with a fixed little-endian form.
pub trait Field: Sized + Copy {
    /// Bytes taken.
    const SIZE: usize;
    /// Reads the value at `offset`; none past the end.
    fn read(bytes: &[u8], offset: usize) -> Option<Self>;
    /// Writes the value at `offset`; none past the end.
    fn write(self, bytes: &mut [u8], offset: usize) -> Option<()>;
}

macro_rules! number_fields {
    ($($number:ty),*) => {$(
        impl Field for $number {
            const SIZE: usize = size_of::<$number>();

            #[inline]
            fn read(bytes: &[u8], offset: usize) -> Option<Self> {
                bytes.get(offset..)?.first_chunk().map(|bytes| <$number>::from_le_bytes(*bytes))
            }

            #[inline]
            fn write(self, bytes: &mut [u8], offset: usize) -> Option<()> {
                *bytes.get_mut(offset..)?.first_chunk_mut()? = self.to_le_bytes();
                Some(())
            }
        }
    )*};
}

number_fields!(u8, u16, u32, u64, i32, f32);

/// Numbers at an offset, for constant evaluation: past the end the build stops.
pub mod constant {
    macro_rules! readers {
        ($($number:ident),*) => {$(
            /// Little endian.
            pub const fn $number(bytes: &[u8], offset: usize) -> $number {
                let mut own = [0; size_of::<$number>()];
                let mut index = 0;
                while index < own.len() {
                    own[index] = bytes[offset + index];
                    index += 1;
                }
                <$number>::from_le_bytes(own)
            }
        )*};
    }

    readers!(u8, u16, u32, u64, i32, f32);
}

/// A record of fixed stride.
pub trait Record: Sized + Copy {
    /// Distance from one record to the next.
    const STRIDE: usize;
    /// Reads a record from the start of `bytes`; none if they are too short.
    fn decode(bytes: &[u8]) -> Option<Self>;
    /// Writes a record to the start of `bytes`; none if they are too short. Bytes that no field
    /// covers become zero.
    fn encode(&self, bytes: &mut [u8]) -> Option<()>;
}

/// Defines a record: its fields with their offsets, and its stride.
#[macro_export]
macro_rules! record {
    ($(#[$doc:meta])* $name:ident, stride $stride:literal {
        $($(#[$field_doc:meta])* $field:ident: $kind:ident = $offset:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $kind,)*
        }

        impl $crate::record::Record for $name {
            const STRIDE: usize = $stride;

            #[inline]
            fn decode(bytes: &[u8]) -> Option<Self> {
                let bytes = bytes.get(..$stride)?;
                Some(Self { $($field: $crate::record::Field::read(bytes, $offset)?,)* })
            }

            fn encode(&self, bytes: &mut [u8]) -> Option<()> {
                let bytes = bytes.get_mut(..$stride)?;
                bytes.fill(0);
                $($crate::record::Field::write(self.$field, bytes, $offset)?;)*
                Some(())
            }
        }

        impl $name {
            /// For constant evaluation: the record at an offset; bytes that are too short stop the build.
            pub const fn at(bytes: &[u8], offset: usize) -> Self {
                Self { $($field: $crate::record::constant::$kind(bytes, offset + $offset),)* }
            }
        }

        // The fields follow one another without overlap and end within the stride.
        const _: () = {
            let mut end = 0;
            $(
                assert!($offset >= end, "the fields of a record overlap");
                end = $offset + <$kind as $crate::record::Field>::SIZE;
            )*
            assert!(end <= $stride, "the fields of a record pass its stride");
        };
    };
}

/// Defines an enumeration stored as one byte; unknown bytes decode to none.
#[macro_export]
macro_rules! byte_enumeration {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $byte:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $byte,)*
        }

        impl $name {
            /// The value stored as `byte`; none if there is no such value in this version.
            #[inline]
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($byte => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The byte that stands for this value.
            #[inline]
            pub const fn to_byte(self) -> u8 {
                self as u8
            }
        }
    };
}
