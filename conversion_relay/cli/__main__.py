from conversion_relay.cli import main

main()
