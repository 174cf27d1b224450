//! Every table and column of the schema is moved, in an order that foreign keys allow.
