package thalweg.clients;

import java.util.Objects;
import java.util.concurrent.ExecutionException;

/** Runs checks and prints one line for each. */
final class Checks {
    interface Body {
        void run() throws Exception;
    }

    private int failed;

    /** One check: it passes when the body returns. */
    void check(String name, Body body) {
        long start = System.nanoTime();
        try {
            body.run();
            System.out.println("ok " + name);
            System.out.println("# " + name + " took " + (System.nanoTime() - start) / 1_000_000 + " ms");
        } catch (Throwable thrown) {
            failed++;
            Throwable cause = thrown instanceof ExecutionException && thrown.getCause() != null ? thrown.getCause() : thrown;
            System.out.println("not ok " + name + ": " + cause.toString().replace('\n', ' '));
            cause.printStackTrace();
        }
    }

    int failed() {
        return failed;
    }

    static void equal(Object expected, Object found, String what) {
        if (!Objects.equals(expected, found)) {
            throw new AssertionError(what + ": expected " + expected + ", found " + found);
        }
    }

    static void that(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    /** The body must throw this, perhaps wrapped in an ExecutionException. */
    static <T extends Throwable> T fails(Class<T> type, Body body) {
        try {
            body.run();
        } catch (Throwable thrown) {
            Throwable cause = thrown instanceof ExecutionException ? thrown.getCause() : thrown;
            if (type.isInstance(cause)) {
                return type.cast(cause);
            }
            throw new AssertionError("expected " + type.getSimpleName() + ", found " + cause, cause);
        }
        throw new AssertionError("expected " + type.getSimpleName() + ", and nothing failed");
    }
}
