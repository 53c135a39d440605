//! What goes with a statement. The server is told its type, so that nothing has to be prepared there first: a statement with a name
//! outlives its transaction, and behind PgBouncer the next transaction may run on a connection that does not know it.

use tokio_postgres::types::{ToSql, Type};

/// A value that a statement's `$1` stands for.
pub(super) trait Param: Sync {
    fn sql_type(&self) -> Type;
    fn value(&self) -> &(dyn ToSql + Sync);
}

pub(super) type Params<'a> = [&'a dyn Param];

/// Each value with its type, as `tokio_postgres` takes them.
pub(super) fn typed<'a>(params: &Params<'a>) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    params.iter().map(|param| (param.value(), param.sql_type())).collect()
}

/// One value of a type of PostgreSQL's own.
pub(super) trait Scalar: ToSql + Sync {
    const TYPE: Type;
    const ARRAY: Type;
}

macro_rules! scalars {
    ($($rust:ty => $one:ident, $many:ident;)*) => {
        $(impl Scalar for $rust {
            const TYPE: Type = Type::$one;
            const ARRAY: Type = Type::$many;
        })*
    };
}

scalars! {
    i32 => INT4, INT4_ARRAY;
    i64 => INT8, INT8_ARRAY;
    f32 => FLOAT4, FLOAT4_ARRAY;
    String => TEXT, TEXT_ARRAY;
    &str => TEXT, TEXT_ARRAY;
}

macro_rules! params {
    ($($rust:ty => $sql:expr;)*) => {
        $(impl<T: Scalar> Param for $rust {
            fn sql_type(&self) -> Type {
                $sql
            }

            fn value(&self) -> &(dyn ToSql + Sync) {
                self
            }
        })*
    };
}

params! {
    T => T::TYPE;
    Option<T> => T::TYPE;
    Vec<T> => T::ARRAY;
    Vec<Option<T>> => T::ARRAY;
    Option<Vec<T>> => T::ARRAY;
}
