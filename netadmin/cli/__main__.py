from netadmin.cli import main

main()
