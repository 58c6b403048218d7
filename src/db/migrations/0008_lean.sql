-- What is sealed never gets smaller: no time is spent on trying to compress it.
alter table inbox alter column body set storage external;
