-- What both doors run last, when every table and function is there.

-- After a restore from a dump into another cluster; otherwise it changes nothing.
do $finish$
begin
    perform parley.adopt_log();
end
$finish$;
