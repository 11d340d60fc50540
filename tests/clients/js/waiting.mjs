// Waiting that ends: what does not happen within the patience of a plan fails the test with its name.
export const patience = (plan) => plan.patience_ms ?? 120_000;

export function deadline(plan, promise, what) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`gave up waiting for ${what}`)), patience(plan));
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function until(plan, condition, what) {
    const end = Date.now() + patience(plan);
    while (!(await condition())) {
        if (Date.now() > end) throw new Error(`gave up waiting for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}
