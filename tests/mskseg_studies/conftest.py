from support.figures import headless as headless  # for every test below
