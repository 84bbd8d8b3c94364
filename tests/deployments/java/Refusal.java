/** Refuses a request. */
final class Refusal extends RuntimeException {
    final int status;

    Refusal(int status, String message) {
        super(message);
        this.status = status;
    }
}
