module deployment

go 1.18
