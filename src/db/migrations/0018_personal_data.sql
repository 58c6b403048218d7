-- When an order's people were forgotten because their connection's time for keeping them was over.
alter table orders add column personal_data_erased_at timestamptz;
create index orders_personal_data on orders (connection_id, id) where personal_data_erased_at is null;
