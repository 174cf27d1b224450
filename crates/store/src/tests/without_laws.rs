//! A database without the walls of its engine, or with a part of them.

use crate::{
    Store,
    engine::Engine as Opened,
    sqlite::{self, Sqlite},
};
use testkit::{
    database::{Engine, Place, engine},
    peek::Peek,
};

/// What the engine holds by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Laws {
    /// Everything it was told to.
    All,
    /// Row-level security, and neither keys nor triggers nor grants. PostgreSQL's.
    RowSecurity,
    /// Nothing.
    None,
}

/// Takes everything that PostgreSQL was told to hold away, but row-level security.
const NO_LAWS: &str = "DO $$
DECLARE it record;
BEGIN
    FOR it IN SELECT tgrelid::regclass AS tab, tgname AS name FROM pg_trigger
        WHERE NOT tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', it.name, it.tab);
    END LOOP;
    FOR it IN SELECT conrelid::regclass AS tab, conname AS name FROM pg_constraint
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', it.tab, it.name);
    END LOOP;
    GRANT ALL ON ALL TABLES IN SCHEMA public TO bifrost_tenant, bifrost_scheduler;
END $$";

const NO_ROW_SECURITY: &str = "DO $$
DECLARE it record;
BEGIN
    FOR it IN SELECT oid::regclass AS tab FROM pg_class WHERE relrowsecurity LOOP
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', it.tab);
    END LOOP;
END $$";

/// The store over the database of `place`, with the laws that stay.
pub async fn open(place: &Place, peek: &Peek, laws: Laws) -> Store {
    let opened = match engine() {
        Engine::Sqlite => {
            if laws != Laws::All {
                for trigger in
                    peek.texts("SELECT name FROM sqlite_master WHERE type = 'trigger'").await
                {
                    peek.run(&format!("DROP TRIGGER {trigger}"), Vec::new()).await;
                }
            }
            let path = place.url().trim_start_matches("sqlite:").split('?').next().unwrap().into();
            let opened =
                sqlite::Place { path, create: false, writes: true, keys: laws == Laws::All };
            Opened::Sqlite(Sqlite::open_at(opened).await.unwrap())
        }
        Engine::Postgres => {
            if laws != Laws::All {
                peek.run(NO_LAWS, Vec::new()).await;
            }
            if laws == Laws::None {
                peek.run(NO_ROW_SECURITY, Vec::new()).await;
            }
            Opened::open(&place.url(), false).await.unwrap()
        }
    };
    Store::over(opened)
}
