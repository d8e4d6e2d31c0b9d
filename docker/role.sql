-- The relay's role gets the password that stands in the secret's file. psql reads it, so that it is
-- on no command line; the server is told not to log the statement.
\set ON_ERROR_STOP on
\set password `cat /run/secrets/walferry_password`
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
ALTER ROLE walferry PASSWORD :'password';
