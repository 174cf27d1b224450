//! `#[derive(FromRow)]`: a struct whose fields are the columns of the store's rows.
//!
//! A field is read from the column of its name, and as what it is or not at all: a column that is
//! missing, of another kind, or empty where the field is no `Option`, is an error. A field with
//! `#[row(nested)]` is a struct that is read from the same row.

use proc_macro::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Field, Fields, ext::IdentExt, parse_macro_input};

/// Reads the struct from a row of the store.
#[proc_macro_derive(FromRow, attributes(row))]
pub fn from_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    implementation(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn implementation(input: &DeriveInput) -> syn::Result<proc_macro2::TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(input, "only a struct has columns"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(input, "columns have names, so fields must"));
    };
    let name = &input.ident;
    let reads = fields.named.iter().map(read).collect::<syn::Result<Vec<_>>>()?;
    Ok(quote! {
        impl crate::row::FromRow for #name {
            fn from_row(row: &crate::row::Row) -> Result<Self, crate::StoreError> {
                Ok(Self { #(#reads),* })
            }
        }
    })
}

fn read(field: &Field) -> syn::Result<proc_macro2::TokenStream> {
    let name = &field.ident;
    let mut nested = false;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("row")) {
        attribute.parse_nested_meta(|meta| match meta.path.is_ident("nested") {
            true => {
                nested = true;
                Ok(())
            }
            false => Err(meta.error("the only word there is is `nested`")),
        })?;
    }
    Ok(match nested {
        true => quote! { #name: crate::row::FromRow::from_row(row)? },
        false => {
            let column = name.as_ref().map(|name| name.unraw().to_string());
            quote! { #name: row.get(#column)? }
        }
    })
}
