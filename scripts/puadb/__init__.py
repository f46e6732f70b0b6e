"""What puadbctl is made of.

cli         options, and what each command does in a few lines
config      the parameters of the database, as pua.conf says them
url         the forms of db_url
schema      the texts in db/: tables under another name, columns, upgrades
database    what both databases offer; sqlite_db and maria_db are the two
rules       which rows the library takes, and what makes two of them the same record
check       the command of that name
dump        dump and load
layouts     the tables of OpenSIPS and Kamailio, and how their rows become ours
migrate     the command of that name
"""
