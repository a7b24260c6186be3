package access

// CheckGuesses refuses an address that has presented too many wrong tokens of
// late. It is for who identifies without an address.
func (a *Authority) CheckGuesses(address string) error {
	if wait := a.guesses.check(origin(address), a.now()); wait > 0 {
		return tooOften("Too many requests with an invalid API key.", wait)
	}
	return nil
}

// Guessed counts a wrong token against the address that it came from.
func (a *Authority) Guessed(address string) { a.guesses.take(origin(address), a.now()) }
